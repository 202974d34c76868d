"""How to reach a ready cluster: as its administrator, and as the proxy."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from pyk8s.wire.cluster import USABLE
from server.store.access_tables import AccessRow
from server.store.database import ReadSession, WriteSession
from server.store.tables import AttemptRow, ClusterRow, HostRow


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster runs."""

    attempt_id: UUID
    host_id: UUID
    host_name: str


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


async def place_of(session: ReadSession, cluster_id: UUID) -> Place | None:
    """Tell where a cluster runs, or None before it is ready."""
    found = (
        await session.execute(
            select(AttemptRow.id, AttemptRow.host_id, HostRow.name)
            .join(AccessRow, AccessRow.attempt_id == AttemptRow.id)
            .join(HostRow, HostRow.id == AttemptRow.host_id)
            .where(AccessRow.cluster_id == cluster_id)
        )
    ).one_or_none()
    return Place(found[0], found[1], found[2]) if found is not None else None


async def usable_among(session: ReadSession, cluster_ids: Collection[UUID]) -> set[UUID]:
    """Give those clusters of these that are ready or paused."""
    return set(
        await session.scalars(
            select(ClusterRow.id).where(
                ClusterRow.id.in_(cluster_ids), ClusterRow.phase.in_(USABLE)
            )
        )
    )


async def forget(session: WriteSession, cluster_id: UUID) -> None:
    """Drop the way in: the cluster is gone."""
    await session.execute(delete(AccessRow).where(AccessRow.cluster_id == cluster_id))
