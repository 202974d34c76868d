"""What a sweep has found, in words for an administrator. Pure."""

from collections.abc import Collection, Mapping
from uuid import UUID

from pyk8s.wire.admin import Difference, DriftAttempt
from server.drivers.base import Found
from server.provisioner.verdicts import GONE, Verdict
from server.store.jobs import JobKind
from server.store.sweep import Standing


def orphan_id(attempt_id: UUID) -> str:
    """Name the difference that an attempt is nobody's."""
    return f"orphan:{attempt_id}"


def gone_id(attempt_id: UUID) -> str:
    """Name the difference that a ready cluster has no nodes."""
    return f"nodes_gone:{attempt_id}"


def idle_id(cluster_id: UUID) -> str:
    """Name the difference that a cluster waits for work that nobody has."""
    return f"no_work:{cluster_id}"


def side_by_side(
    rows: Mapping[UUID, Standing], found: Mapping[UUID, Found], directories: Collection[UUID]
) -> list[DriftAttempt]:
    """Put together what is known of each attempt that anything is known of."""
    ids = sorted({*rows, *found, *directories})
    return [_attempt(each, rows.get(each), found.get(each), each in directories) for each in ids]


def _attempt(
    attempt_id: UUID, row: Standing | None, found: Found | None, has_directory: bool
) -> DriftAttempt:
    pieces = list(found.pieces) if found is not None else []
    if found is not None:
        states = {f"container {name}": state for name, state in found.nodes.items()}
        pieces = [f"{each} ({states[each]})" if each in states else each for each in pieces]
    return DriftAttempt(
        attempt_id=attempt_id,
        cluster_id=row.cluster_id if row is not None else None,
        cluster=row.cluster if row is not None else None,
        phase=row.phase if row is not None else None,
        outcome=row.outcome if row is not None else None,
        pieces=pieces,
        has_directory=has_directory,
        has_kubeconfig=row is not None and row.has_kubeconfig,
    )


def orphan(attempt_id: UUID, row: Standing | None) -> Difference:
    """Say that something is there which nobody needs."""
    whose = "an attempt that the database does not know"
    if row is not None:
        whose = f"attempt {row.outcome or 'without an end'} of {row.cluster}, which is {row.phase}"
    return Difference(
        id=orphan_id(attempt_id),
        kind="orphan",
        attempt_id=attempt_id,
        cluster_id=row.cluster_id if row is not None else None,
        explanation=f"pieces, a directory or a process are left of {whose}",
        repair="end its processes and remove its containers, networks, volumes and directory; "
        "the next sweep does it by itself",
        is_repairable=True,
    )


def broken(row: Standing, verdict: Verdict) -> Difference:
    """Say that a cluster which should run does not."""
    if verdict is GONE:
        return Difference(
            id=gone_id(row.attempt_id),
            kind="nodes_gone",
            attempt_id=row.attempt_id,
            cluster_id=row.cluster_id,
            explanation=f"{row.cluster} is {row.phase}, but its containers are not there",
            repair="mark it failed, with the reason; the next sweep does it by itself",
            is_repairable=True,
        )
    return Difference(
        id=f"not_running:{row.attempt_id}",
        kind="not_running",
        attempt_id=row.attempt_id,
        cluster_id=row.cluster_id,
        explanation=f"{row.cluster} is {row.phase}, but {verdict.message}",
        repair="start its containers (docker start), or delete the cluster",
        is_repairable=False,
    )


def idle(cluster_id: UUID, kind: JobKind) -> Difference:
    """Say that a cluster waits for what nobody does."""
    return Difference(
        id=idle_id(cluster_id),
        kind="no_work",
        cluster_id=cluster_id,
        explanation=f"the cluster waits for a {kind} job, and there is none",
        repair=f"give it a {kind} job; the next sweep does it by itself",
        is_repairable=True,
    )
