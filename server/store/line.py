"""The waiting line: creates that nobody has begun, in the order in which they are due."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, func, select
from sqlalchemy.orm import aliased

from pyk8s.wire.cluster import Queue
from server.store import claims
from server.store.database import ReadSession
from server.store.tables import POOL, ClusterRow, JobRow


@dataclass(frozen=True, slots=True)
class Waiting:
    """A create that waits, and what its cluster was told last."""

    job_id: UUID
    cluster_id: UUID
    template: str
    driver: str
    nodes: int
    queue: Queue | None


async def waiting(session: ReadSession, host_id: UUID) -> list[Waiting]:
    """List the creates that this host could begin, the next one first.

    People come before the pool. First come, first served, but everybody in turn: somebody's
    second waits for everybody's first. What they have being built counts.
    """
    rows = await session.execute(_waiting(), {"host_id": host_id})
    return [
        Waiting(
            job_id=job_id,
            cluster_id=cluster_id,
            template=template,
            driver=driver,
            nodes=nodes,
            queue=Queue.model_validate(queue) if queue is not None else None,
        )
        for job_id, cluster_id, template, driver, nodes, queue, _ in rows
    ]


@cache
def _waiting() -> Select[UUID, UUID, str, str, int, Any, int]:
    """Make the statement, once: a worker asks at every hint, and making costs more than asking."""
    other, its_cluster = aliased(JobRow), aliased(ClusterRow)
    has_building = (
        select(func.count())
        .select_from(other)
        .join(its_cluster, its_cluster.id == other.cluster_id)
        .where(
            its_cluster.owner_id == ClusterRow.owner_id,
            other.kind == "create",
            other.state == "running",
        )
        .scalar_subquery()
    )
    of_owner = func.row_number().over(
        partition_by=ClusterRow.owner_id, order_by=(JobRow.created_at, JobRow.id)
    )
    turn = (of_owner + has_building).label("turn")
    return (
        select(
            JobRow.id,
            ClusterRow.id,
            ClusterRow.template,
            ClusterRow.driver,
            ClusterRow.control_planes + ClusterRow.workers,
            ClusterRow.queue,
            turn,
        )
        .join(ClusterRow, ClusterRow.id == JobRow.cluster_id)
        .where(claims.is_fresh(), *claims.claimable(bindparam("host_id", type_=Uuid())))
        .order_by(ClusterRow.owner_id == POOL, turn, JobRow.created_at, JobRow.id)
    )
