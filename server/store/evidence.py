"""What was collected when a create failed. Kept until the cluster is deleted."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from server.store.database import ReadSession, WriteSession
from server.store.tables import EvidenceRow


async def save(
    session: WriteSession, cluster_id: UUID, attempt_id: UUID, *, archive: bytes
) -> None:
    """Keep an archive. A later attempt's replaces an earlier one's."""
    values = {"attempt_id": attempt_id, "archive": archive}
    statement = insert(EvidenceRow).values(cluster_id=cluster_id, **values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[EvidenceRow.cluster_id], set_=values)
    )


async def archive_of(session: ReadSession, cluster_id: UUID) -> bytes | None:
    """Give the archive, a tar.gz, or None where nothing was collected."""
    return await session.scalar(
        select(EvidenceRow.archive).where(EvidenceRow.cluster_id == cluster_id)
    )


async def forget(session: WriteSession, cluster_id: UUID) -> None:
    """Drop the archive: the cluster is gone."""
    await session.execute(delete(EvidenceRow).where(EvidenceRow.cluster_id == cluster_id))
