"""What the reconciler compares with the machine: the attempts of a host, and idle clusters."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text, union_all

from pyk8s.wire.cluster import Condition, Phase
from server.store import jobs
from server.store.access_tables import AccessRow
from server.store.database import ReadSession
from server.store.jobs import JobKind
from server.store.tables import AttemptRow, ClusterRow

_WORK: Final[dict[Phase, JobKind]] = {
    Phase.PENDING: "create",
    Phase.PROVISIONING: "create",
    Phase.DELETING: "delete",
}
_OPEN_JOB = jobs.has_open()
_KUBECONFIG = select(AccessRow.cluster_id).where(AccessRow.attempt_id == AttemptRow.id).exists()


@dataclass(frozen=True, slots=True)
class Standing:
    """An attempt, and what its cluster is up to."""

    attempt_id: UUID
    host_id: UUID
    driver: str
    outcome: str | None
    is_removed: bool
    cluster_id: UUID
    cluster: str
    """The cluster's name."""
    phase: Phase
    nodes: int
    """How many nodes the cluster is to have."""
    ready: Condition | None
    has_open_job: bool
    has_kubeconfig: bool


async def standings(
    session: ReadSession, host_id: UUID, *, also: Collection[UUID] = ()
) -> dict[UUID, Standing]:
    """Give the attempts of a host of which something may be left, and certain others, by id."""
    asked_for = union_all(
        select(AttemptRow.id).where(AttemptRow.host_id == host_id, AttemptRow.removed_at.is_(None)),
        select(AttemptRow.id).where(AttemptRow.id.in_(list(also))),
    )
    rows = await session.execute(
        select(AttemptRow, ClusterRow, _OPEN_JOB, _KUBECONFIG)
        .join(ClusterRow, ClusterRow.id == AttemptRow.cluster_id)
        .where(AttemptRow.id.in_(asked_for))
        .execution_options(populate_existing=True)
    )
    return {row[0].id: _standing(*row) for row in rows}


def _standing(
    attempt: AttemptRow, cluster: ClusterRow, has_open_job: bool, has_kubeconfig: bool
) -> Standing:
    conditions = [Condition.model_validate(each) for each in cluster.conditions]
    return Standing(
        attempt_id=attempt.id,
        host_id=attempt.host_id,
        driver=attempt.driver,
        outcome=attempt.outcome,
        is_removed=attempt.removed_at is not None,
        cluster_id=cluster.id,
        cluster=cluster.name,
        phase=Phase(cluster.phase),
        nodes=cluster.control_planes + cluster.workers,
        ready=next((each for each in conditions if each.type == "Ready"), None),
        has_open_job=has_open_job,
        has_kubeconfig=has_kubeconfig,
    )


async def removed_lately(session: ReadSession, host_id: UUID) -> set[UUID]:
    """Give the attempts of a host that were removed within a day.

    Something of them may still come: Docker finishes what it was asked for, even if whoever asked
    is dead.
    """
    rows = await session.scalars(
        select(AttemptRow.id).where(
            AttemptRow.host_id == host_id,
            AttemptRow.removed_at > func.now() - text("interval '1 day'"),
        )
    )
    return set(rows)


async def without_work(session: ReadSession) -> list[tuple[UUID, JobKind]]:
    """List clusters that wait for work which nobody has to do, and what that work is."""
    rows = await session.execute(
        select(ClusterRow.id, ClusterRow.phase).where(
            ClusterRow.deleted_at.is_(None),
            ClusterRow.phase.in_([phase.value for phase in _WORK]),
            ~_OPEN_JOB,
        )
    )
    return [(row[0], _WORK[Phase(row[1])]) for row in rows]
