"""What it means for a cluster that its nodes are so or so, and how that is written down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from pyk8s.wire.cluster import USABLE, Condition, Phase
from pyk8s.wire.facts import ConditionChanged, EventData, FailureExplained, PhaseChanged
from server.drivers.base import DriverError
from server.store import clusters, event_log, use
from server.store.database import WriteSession
from server.store.database import now as database_now
from server.store.event_log import Draft
from server.store.sweep import Standing

_ALIVE: Final = frozenset({"running", "paused"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The condition `Ready` as the reconciler sees it."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


RUNNING: Final = Verdict("True", "NodesRunning", "all nodes run again and the API server answers")
SILENT: Final = Verdict(
    "Unknown", "NotAnswering", "all nodes run, but the API server does not answer yet"
)
AWAKE: Final = Verdict("True", "Resumed", "it goes on where it was, and its API server answers")
FROZEN: Final = Verdict("False", "Paused", "its nodes are frozen; whoever uses it wakes it")
SWITCHED_OFF: Final = Verdict(
    "False",
    use.STOPPED,
    "its nodes are stopped and their memory is free; whoever uses it starts it, in some seconds",
)
GONE: Final = Verdict("False", "NodesGone", "the containers of the cluster are not there any more")
_STOPPED: Final = "NodesStopped"
_MISSING: Final = "NodesMissing"
_UNREACHABLE: Final = "DockerUnreachable"
_AWAY: Final = "DriverAway"
_OURS: Final = frozenset({SILENT.reason, _STOPPED, _MISSING, _UNREACHABLE, _AWAY})


def is_finished(row: Standing) -> bool:
    """Tell whether the attempt is the cluster that somebody uses now."""
    return row.outcome == "succeeded" and not row.is_removed and row.phase in USABLE


def is_needed(row: Standing) -> bool:
    """Tell whether somebody uses what the attempt made, or will remove it in time."""
    if row.has_open_job:
        return True
    if row.is_removed or row.phase is Phase.DELETED:
        return False
    if row.outcome == "lost":
        # A bad one from the pool, in whose place there is another one now.
        return False
    if row.phase is Phase.FAILED:
        # What was ready once stays as it is until its owner deletes it or tries again.
        return row.outcome == "succeeded"
    return True


def is_ours(ready: Condition | None) -> bool:
    """Tell whether the reconciler said this, and so has to take it back."""
    return ready is not None and ready.reason in _OURS


def is_said(verdict: Verdict, ready: Condition | None) -> bool:
    """Tell whether the condition says this already."""
    if verdict is GONE or ready is None:
        return False
    return (ready.status, ready.reason) == (verdict.status, verdict.reason)


def judge(row: Standing, nodes: Mapping[str, str]) -> Verdict:
    """Say what is to be thought of a cluster with these nodes (name to state)."""
    if not any("control-plane" in name for name in nodes):
        return GONE
    stopped = sorted(name for name, state in nodes.items() if state not in _ALIVE)
    if stopped and row.phase is Phase.PAUSED and is_said(SWITCHED_OFF, row.ready):
        return SWITCHED_OFF
    if stopped:
        return Verdict("False", _STOPPED, f"stopped: {', '.join(stopped)}")
    if len(nodes) < row.nodes:
        return Verdict("False", _MISSING, f"{len(nodes)} of {row.nodes} nodes are there")
    return RUNNING


def unreachable(error: DriverError | TimeoutError, seconds: float) -> Verdict:
    """Say that nobody can look, and why."""
    why = f"no answer in {seconds:g} s"
    if isinstance(error, DriverError):
        why = error.explanation.cause
    return Verdict("Unknown", _UNREACHABLE, f"nobody can see whether it runs: {why}")


def driver_away(driver: str) -> Verdict:
    """Say that this server cannot look, because it runs with another driver."""
    return Verdict("Unknown", _AWAY, f"the server of this host runs without the driver {driver}")


async def write(session: WriteSession, cluster_id: UUID, verdict: Verdict) -> bool:
    """Say it in the log, if the cluster is still one that somebody uses. False: it is not."""
    cluster = await clusters.lock(session, cluster_id)
    if cluster.phase not in USABLE:
        return False
    condition = Condition(
        type="Ready",
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        last_transition_time=await database_now(session),
    )
    facts: list[EventData] = [ConditionChanged(condition=condition)]
    if verdict is GONE:
        explained = FailureExplained(
            code="nodes_gone",
            title="The nodes of the cluster are gone",
            cause="its containers were removed by something else than this server: by hand, by "
            "docker system prune, or because Docker lost its data",
            fix="try again (pyk8s retry) for a new, empty cluster, or delete it",
            evidence=[],
        )
        moved = PhaseChanged(from_=cluster.phase, to=Phase.FAILED, reason=verdict.reason)
        facts = [explained, *facts, moved]
    await event_log.append(session, cluster_id, [Draft(fact) for fact in facts], expect=USABLE)
    return True
