"""The build of a cluster, as it happens: a moving line on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table as Grid
from rich.text import Text

from pyk8s.cli.session import Session
from pyk8s.cli.show import STEP_TITLE
from pyk8s.cli.words import plain
from pyk8s.client.stream import Reconnecting, StreamState
from pyk8s.wire.cluster import Cluster, Step
from pyk8s.wire.events import (
    AttemptStartedEvent,
    ClusterEvent,
    PhaseChangedEvent,
    QueuedEvent,
    StepFinishedEvent,
    StepStartedEvent,
)
from pyk8s.wire.facts import Queued
from pyk8s.wire.forecast import eta_of
from pyk8s.wire.service import Expected

TITLE_WIDTH = 28
FRAMES_PER_SECOND = 10
PHASE_TITLE = {
    "pending": "Waiting for a place",
    "provisioning": "Starting",
    "deleting": "Deleting",
}


class Progress:
    """Shows events as they come. `expected` is what such a build takes, from the last ones."""

    def __init__(
        self,
        session: Session,
        cluster: Cluster,
        *,
        expected: Expected | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._console: Console = session.err
        self._expected = expected
        self._step: Step | None = None
        self._clock = clock
        self._began = clock()
        self._title = PHASE_TITLE.get(cluster.phase, cluster.phase.value)
        self._since = self._began
        self._trouble: Reconnecting | None = None
        self._reason: str | None = None
        """What it waits for in the queue, as last said."""
        self._spinner = Spinner("dots", style="blue")
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._session.is_live:
            self._live = Live(
                console=self._console,
                get_renderable=self._moving,
                refresh_per_second=FRAMES_PER_SECOND,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def on_event(self, event: ClusterEvent) -> None:
        """Take in what happened to the cluster."""
        match event:
            case QueuedEvent(data=data):
                self._waits(data)
            case StepStartedEvent(data=data):
                self._now(STEP_TITLE.get(data.step, data.step.value))
                self._step = data.step
            case StepFinishedEvent(data=data):
                is_good = data.outcome == "succeeded"
                title = STEP_TITLE.get(data.step, data.step.value)
                self._done(title, data.duration_seconds, is_good=is_good)
            case AttemptStartedEvent():
                self._began, self._step = self._clock(), None
            case PhaseChangedEvent(data=data):
                self._now(PHASE_TITLE.get(data.to, data.to.value))
            case _:
                pass

    def on_state(self, state: StreamState) -> None:
        """Take in that the connection is lost, or back."""
        if isinstance(state, Reconnecting):
            if self._live is None and self._trouble is None:
                self._session.say("The connection is lost; reconnecting. Nothing is lost.")
            self._trouble = state
        else:
            self._trouble = None

    def _now(self, title: str) -> None:
        self._title = title
        self._since = self._clock()

    def _waits(self, place: Queued) -> None:
        self._title = f"Waiting, {place.position} of {place.size}"
        if place.reason != self._reason or self._live is None:
            self._session.say(f"{self._title} in the queue: {plain(place.reason)}")
        self._reason = place.reason

    def _done(self, title: str, seconds: float, *, is_good: bool) -> None:
        if self._session.is_quiet:
            return
        mark, style = ("✓", "green") if is_good else ("✗", "red")
        text = Text(mark, style=style).append(
            f" {title:<{TITLE_WIDTH}} {seconds:>6.1f} s", "default"
        )
        self._console.print(text)

    def _left(self, expected: Expected, now: float) -> str:
        eta = eta_of(expected, spent=now - self._began, step=self._step, in_step=now - self._since)
        if eta is None:
            return "  longer than it ever takes"
        low, high = eta.shown
        return f"  at most {high} s left" if low == 0 else f"  {low} to {high} s left"

    def _moving(self) -> RenderableType:
        now = self._clock()
        if self._trouble is not None:
            text = Text(
                f"Reconnecting, attempt {self._trouble.attempt}. Nothing is lost.", "yellow"
            )
        else:
            text = Text(f"{self._title:<{TITLE_WIDTH}} {now - self._since:>6.1f} s")
            if self._expected is not None:
                text.append(self._left(self._expected, now), style="dim")
        line = Grid.grid(padding=(0, 1, 0, 0))
        line.add_row(self._spinner, text)
        return line
