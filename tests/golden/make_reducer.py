"""Writes the golden files of the reducer: python -m tests.golden.make_reducer

Each has a snapshot before (or null), events, and the snapshot after. pytest and vitest hold the
two reducers to them; look at the difference before you commit what this writes.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pyk8s.wire.cluster import Cluster, Condition, EvidenceLine, Phase, Step
from pyk8s.wire.events import ClusterEvent
from pyk8s.wire.facts import (
    AttemptStarted,
    ClaimedFromPool,
    ConditionChanged,
    Created,
    CredentialIssued,
    EventData,
    FailureExplained,
    LeaseExpiring,
    LeaseExtended,
    LogExpired,
    LogLine,
    LogTruncated,
    Note,
    PhaseChanged,
    Queued,
    StepFinished,
    StepStarted,
)
from pyk8s.wire.reduce import apply_event
from tests.factories import BEGIN, make_snapshot

FOLDER = Path(__file__).parent / "reducer"
_EVENT: TypeAdapter[ClusterEvent] = TypeAdapter(ClusterEvent)


def ready(status: str, reason: str) -> ConditionChanged:
    """Say whether the cluster is usable."""
    return ConditionChanged.model_validate(
        {
            "condition": Condition.model_validate(
                {
                    "type": "Ready",
                    "status": status,
                    "reason": reason,
                    "message": "in words",
                    "last_transition_time": BEGIN,
                }
            )
        }
    )


def step(name: Step, index: int, outcome: str = "succeeded") -> list[EventData]:
    """Begin and end a step."""
    finished = {"step": name, "outcome": outcome, "duration_seconds": 1.5}
    return [StepStarted(step=name, index=index, total=8), StepFinished.model_validate(finished)]


def moved(source: Phase, target: Phase) -> PhaseChanged:
    """Move along the lifecycle."""
    return PhaseChanged(from_=source, to=target, reason="Because")


LATER = BEGIN + timedelta(hours=1)
FAILURE = FailureExplained(
    code="image_missing",
    title="The node image is not there",
    cause="it could not be pulled",
    fix="pull it",
    evidence=[EvidenceLine(seq=5, text="no such host")],
)
LINE = LogLine(stream="stderr", text="Creating cluster ...")

SCENARIOS: dict[str, tuple[Cluster | None, list[EventData]]] = {
    "from-nothing-to-ready": (
        None,
        [
            Created(cluster=make_snapshot()),
            AttemptStarted(attempt=1),
            moved(Phase.PENDING, Phase.PROVISIONING),
            LINE,
            *step(Step.NODE_IMAGE, 1),
            *step(Step.NODES, 2),
            ready("True", "Provisioned"),
            LeaseExtended(expires_at=LATER),
            moved(Phase.PROVISIONING, Phase.READY),
        ],
    ),
    "in-the-middle-of-a-step": (
        make_snapshot(phase=Phase.PROVISIONING),
        [*step(Step.NODE_IMAGE, 1), StepStarted(step=Step.NODES, index=2, total=8)],
    ),
    "fails-and-is-explained": (
        make_snapshot(phase=Phase.PROVISIONING, last_seq=3),
        [
            *step(Step.NODE_IMAGE, 1, "failed"),
            FAILURE,
            ready("False", "ImageMissing"),
            moved(Phase.PROVISIONING, Phase.FAILED),
        ],
    ),
    "second-attempt-forgets-the-failure": (
        make_snapshot(phase=Phase.FAILED, failure=FAILURE.model_dump()),
        [moved(Phase.FAILED, Phase.PENDING), AttemptStarted(attempt=2)],
    ),
    "leaves-the-queue": (
        make_snapshot(queue={"position": 2, "size": 3, "reason": "memory"}),
        [moved(Phase.PENDING, Phase.PROVISIONING)],
    ),
    "waits-in-the-queue": (
        make_snapshot(),
        [
            Queued(position=2, size=3, reason="memory"),
            Queued(position=1, size=2, reason="memory"),
        ],
    ),
    "condition-changes-in-place": (
        make_snapshot(phase=Phase.READY, ready_at=BEGIN),
        [ready("True", "Provisioned"), ready("Unknown", "DockerUnreachable")],
    ),
    "pauses-and-wakes": (
        make_snapshot(phase=Phase.READY, ready_at=BEGIN),
        [moved(Phase.READY, Phase.PAUSED), moved(Phase.PAUSED, Phase.READY)],
    ),
    "from-the-pool": (make_snapshot(), [ClaimedFromPool()]),
    "tells-without-changing": (
        make_snapshot(phase=Phase.READY),
        [
            Note(text="by the way"),
            LogTruncated(cap_bytes=8388608),
            LogExpired(from_=3, to=4),
            LeaseExpiring(expires_at=LATER),
            CredentialIssued(endpoint="direct", by="ann"),
        ],
    ),
    "deleted-while-building": (
        make_snapshot(phase=Phase.PROVISIONING),
        [
            StepStarted(step=Step.NODES, index=2, total=8),
            moved(Phase.PROVISIONING, Phase.DELETING),
            LINE,
            moved(Phase.DELETING, Phase.DELETED),
        ],
    ),
}


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name, (before, facts) in SCENARIOS.items():
        write(name, before, facts)
    # Events that the snapshot already holds come again after a reconnect: they change nothing.
    before, facts = SCENARIOS["in-the-middle-of-a-step"]
    write("old-events-change-nothing", make_snapshot(last_seq=50), facts, first=10)
    unknown = {"seq": 2, "version": 1, "at": "2026-01-01T00:00:01Z", "type": "news", "data": {}}
    document = {
        "before": plain(make_snapshot()),
        "events": [unknown],
        "after": plain(make_snapshot(last_seq=2)),
    }
    save("unknown-type-moves-the-cursor-only", document)


def write(
    name: str, before: Cluster | None, facts: list[EventData], *, first: int | None = None
) -> None:
    """Fold the facts and write the file."""
    start = first if first is not None else (before.last_seq + 1 if before else 1)
    events: list[dict[str, Any]] = []
    after = before
    for seq, fact in enumerate(facts, start=start):
        raw = {
            "seq": seq,
            "version": fact.VERSION,
            "at": (BEGIN + timedelta(seconds=seq)).isoformat(),
            "type": fact.TYPE,
            "data": fact.model_dump(mode="json", by_alias=True),
        }
        event = _EVENT.validate_python(raw)
        events.append(event.model_dump(mode="json", by_alias=True, exclude={"cluster_id"}))
        after = apply_event(after, event)
    save(name, {"before": plain(before), "events": events, "after": plain(after)})


def plain(cluster: Cluster | None) -> dict[str, Any] | None:
    """Give the JSON of a snapshot."""
    return cluster.model_dump(mode="json") if cluster is not None else None


def save(name: str, document: dict[str, Any]) -> None:
    """Write one file."""
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
