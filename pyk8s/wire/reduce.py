"""The fold of a cluster's events: pure, shared by the server and the SDK.

The web page has the same function in TypeScript (`lib/stream/apply-event.ts`);
golden files in `tests/golden` hold both to it.
"""

from typing import Any

from pyk8s.wire.cluster import Cluster, Condition, Failure, Phase, Progress, Queue
from pyk8s.wire.events import ClusterEvent
from pyk8s.wire.facts import (
    AttemptStarted,
    ClaimedFromPool,
    ConditionChanged,
    Created,
    EventData,
    FailureExplained,
    LeaseExtended,
    PhaseChanged,
    Queued,
    StepFinished,
    StepStarted,
)

PERCENT_DONE = 100


def apply_event(cluster: Cluster | None, event: ClusterEvent) -> Cluster | None:
    """Give the snapshot after `event`. An event that the snapshot already holds changes nothing.

    `None` stands for a cluster that is not known yet: only `created` brings it about.
    """
    if cluster is not None and event.seq <= cluster.last_seq:
        return cluster
    if isinstance(event.data, Created):
        return event.data.cluster.model_copy(update={"last_seq": event.seq})
    if cluster is None:
        return None
    changes = changes_of(cluster, event.data, event.at)
    return cluster.model_copy(update={**changes, "last_seq": event.seq})


def changes_of(cluster: Cluster, data: EventData, at: Any) -> dict[str, Any]:
    """Name the fields of the snapshot that this fact, true since `at`, gives another value."""
    match data:
        case PhaseChanged():
            return _phase(data, at)
        case ConditionChanged(condition=condition):
            return {"conditions": _with_condition(cluster.conditions, condition)}
        case Queued():
            return {"queue": Queue.model_validate(data.model_dump())}
        case StepStarted(step=step, index=index, total=total):
            done = round(PERCENT_DONE * (index - 1) / total)
            return {"progress": Progress(step=step, index=index, total=total, percent=done)}
        case StepFinished(step=step, outcome="succeeded"):
            return _finished(cluster, step)
        case LeaseExtended(expires_at=expires_at):
            return {"expires_at": expires_at}
        case ClaimedFromPool():
            return {"from_pool": True}
        case FailureExplained():
            return {"failure": Failure.model_validate(data.model_dump())}
        case AttemptStarted():
            return {"failure": None, "progress": None, "queue": None}
        case _:
            return {}


def _phase(data: PhaseChanged, at: Any) -> dict[str, Any]:
    changes: dict[str, Any] = {"phase": data.to}
    if data.to is not Phase.PENDING:
        changes["queue"] = None
    if data.to is Phase.READY:
        changes["progress"] = None
        if data.from_ is Phase.PROVISIONING:
            changes["ready_at"] = at
    if data.to is Phase.DELETING:
        changes["progress"] = None
    if data.to is Phase.DELETED:
        changes |= {"progress": None, "deleted_at": at}
    return changes


def _with_condition(conditions: list[Condition], new: Condition) -> list[Condition]:
    if any(old.type == new.type for old in conditions):
        return [new if old.type == new.type else old for old in conditions]
    return [*conditions, new]


def _finished(cluster: Cluster, step: str) -> dict[str, Any]:
    progress = cluster.progress
    if progress is None or progress.step != step:
        return {}
    done = round(PERCENT_DONE * progress.index / progress.total)
    return {"progress": progress.model_copy(update={"percent": done})}
