"""How to reach a ready cluster: as its administrator, and as the proxy."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from server.store.access_tables import AccessRow
from server.store.database import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class WayIn:
    """What is kept of the way in. A later attempt has another one."""

    attempt_id: UUID
    internal_url: str
    sealed_kubeconfig: bytes
    sealed_proxy_identity: bytes | None
    """None: the cluster is simulated, or older than the proxy."""


async def save(
    session: WriteSession,
    cluster_id: UUID,
    attempt_id: UUID,
    *,
    sealed_kubeconfig: bytes,
    sealed_proxy_identity: bytes | None,
    internal_url: str,
) -> None:
    """Keep the way in. A later attempt's replaces an earlier one's."""
    values = {
        "attempt_id": attempt_id,
        "sealed_kubeconfig": sealed_kubeconfig,
        "sealed_proxy_identity": sealed_proxy_identity,
        "internal_url": internal_url,
    }
    statement = insert(AccessRow).values(cluster_id=cluster_id, **values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[AccessRow.cluster_id], set_=values)
    )


async def way_into(session: ReadSession, cluster_id: UUID) -> WayIn | None:
    """Give the way into a cluster, or None before it is ready and after it is gone."""
    row = await session.scalar(select(AccessRow).where(AccessRow.cluster_id == cluster_id))
    if row is None:
        return None
    return WayIn(row.attempt_id, row.internal_url, row.sealed_kubeconfig, row.sealed_proxy_identity)


async def forget(session: WriteSession, cluster_id: UUID) -> None:
    """Drop the way in: the cluster is gone."""
    await session.execute(delete(AccessRow).where(AccessRow.cluster_id == cluster_id))
