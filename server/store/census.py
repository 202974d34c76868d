"""How much there is of everything, for those who watch the server."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from server.store.database import ReadSession
from server.store.tables import POOL, ClusterRow, JobRow


@dataclass(frozen=True, slots=True)
class Census:
    """Clusters of people that are not deleted, by phase; work that is not done, by kind and state.

    `oldest_wait_seconds`: since when a job is due that nobody has begun; 0 when none is.
    """

    clusters: Mapping[str, int]
    jobs: Mapping[tuple[str, str], int]
    oldest_wait_seconds: float


async def take(session: ReadSession) -> Census:
    """Count."""
    clusters = await session.execute(
        select(ClusterRow.phase, func.count())
        .where(ClusterRow.deleted_at.is_(None), ClusterRow.owner_id != POOL)
        .group_by(ClusterRow.phase)
    )
    jobs = await session.execute(
        select(JobRow.kind, JobRow.state, func.count())
        .where(JobRow.state != "done")
        .group_by(JobRow.kind, JobRow.state)
    )
    waited = await session.scalar(
        select(func.extract("epoch", func.now() - func.min(JobRow.run_after))).where(
            JobRow.state == "queued", JobRow.run_after <= func.now()
        )
    )
    return Census(
        clusters={row[0]: row[1] for row in clusters},
        jobs={(row[0], row[1]): row[2] for row in jobs},
        oldest_wait_seconds=max(0.0, float(waited or 0)),
    )
