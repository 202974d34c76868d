"""How far logs are, for those who follow many of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select

from server.store.database import ReadSession
from server.store.tables import ClusterRow


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log of a cluster is."""

    cluster_id: UUID
    owner_id: UUID
    seq: int
    is_deleted: bool


async def heads_of(
    session: ReadSession, *, cluster_ids: Collection[UUID], owner_ids: Collection[UUID]
) -> list[Head]:
    """Give the ends of the logs of clusters, and of those that owners have or had until lately."""
    lately = func.now() - timedelta(hours=1)
    recent = or_(ClusterRow.deleted_at.is_(None), ClusterRow.deleted_at > lately)
    rows = await session.execute(
        select(
            ClusterRow.id, ClusterRow.owner_id, ClusterRow.last_seq, ClusterRow.deleted_at
        ).where(
            or_(ClusterRow.id.in_(cluster_ids), and_(ClusterRow.owner_id.in_(owner_ids), recent))
        )
    )
    return [Head(*row[:3], is_deleted=row[3] is not None) for row in rows]
