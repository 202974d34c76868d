"""The steps of a create as the command line tells them."""

from datetime import UTC, datetime, timedelta

from pyk8s.cli.timeline import Row, rows_of
from pyk8s.wire.cluster import Step
from pyk8s.wire.events import (
    AttemptStartedEvent,
    ClusterEvent,
    StepFinishedEvent,
    StepStartedEvent,
)
from pyk8s.wire.facts import AttemptStarted, StepFinished, StepStarted
from server.store.forecasts import Run, expected_of

BEGAN = datetime(2026, 11, 28, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def attempt(seq: int, number: int, seconds: float) -> AttemptStartedEvent:
    return AttemptStartedEvent(seq=seq, at=at(seconds), data=AttemptStarted(attempt=number))


def started(seq: int, step: Step, seconds: float) -> StepStartedEvent:
    return StepStartedEvent(seq=seq, at=at(seconds), data=StepStarted(step=step, index=1, total=7))


def finished(seq: int, step: Step, seconds: float, took: float) -> StepFinishedEvent:
    data = StepFinished(step=step, outcome="succeeded", duration_seconds=took)
    return StepFinishedEvent(seq=seq, at=at(seconds), data=data)


def test_only_the_last_attempt_counts_and_what_goes_on_has_no_end() -> None:
    events: list[ClusterEvent] = [
        attempt(1, 1, 0),
        started(2, Step.NODES, 1),
        attempt(3, 2, 10),
        started(4, Step.NODES, 10.5),
        finished(5, Step.NODES, 12, 1.5),
        started(6, Step.CONTROL_PLANE, 12),
    ]
    expected = expected_of(
        [Run(9.0, {"nodes": 0.5, "control_plane": 2.0}, {"nodes": 1.5, "control_plane": 7.0})]
    )
    assert rows_of(events, expected) == [
        Row("nodes", 0.5, 1.5, "succeeded", 1.5, 1.5),
        Row("control_plane", 2.0, None, None, 7.0, 7.0),
    ]
    assert [row.usual for row in rows_of(events, None)] == [None, None]
    assert rows_of([], expected) == []
