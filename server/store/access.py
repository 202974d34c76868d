"""How to reach a ready cluster as its administrator."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from server.store.database import ReadSession, WriteSession
from server.store.tables import AccessRow


async def save(
    session: WriteSession,
    cluster_id: UUID,
    attempt_id: UUID,
    *,
    sealed_kubeconfig: bytes,
    internal_url: str,
) -> None:
    """Keep the way in. A later attempt's replaces an earlier one's."""
    values = {
        "attempt_id": attempt_id,
        "sealed_kubeconfig": sealed_kubeconfig,
        "internal_url": internal_url,
    }
    statement = insert(AccessRow).values(cluster_id=cluster_id, **values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[AccessRow.cluster_id], set_=values)
    )


async def sealed_kubeconfig(session: ReadSession, cluster_id: UUID) -> bytes | None:
    """Give the encrypted kubeconfig of the cluster's administrator, or None before it is ready."""
    return await session.scalar(
        select(AccessRow.sealed_kubeconfig).where(AccessRow.cluster_id == cluster_id)
    )


async def forget(session: WriteSession, cluster_id: UUID) -> None:
    """Drop the way in: the cluster is gone."""
    await session.execute(delete(AccessRow).where(AccessRow.cluster_id == cluster_id))
