"""Reads the progress that kind prints. Pure.

Without a terminal each step is two lines, ` • X  ...` and ` ✓ X` or ` ✗ X`; on a terminal
only the last one is left after the overwriting. Everything else is just a line.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pyk8s.wire.cluster import Step
from pyk8s.wire.facts import StepFinished, StepStarted
from server.drivers.log_lines import strip_colours

_STEPS: Final = (
    ("Ensuring node image", Step.NODE_IMAGE),
    ("Preparing nodes", Step.NODES),
    ("Configuring the external load balancer", Step.LOAD_BALANCER),
    ("Writing configuration", Step.CONFIGURATION),
    ("Starting control-plane", Step.CONTROL_PLANE),
    ("Installing CNI", Step.NETWORK),
    ("Installing StorageClass", Step.STORAGE),
    ("Joining more control-plane nodes", Step.MORE_CONTROL_PLANES),
    ("Joining worker nodes", Step.WORKERS),
    ("Waiting", Step.NODE_READY),
)
_MARK = re.compile(r" ?([•✓✗]) (\S.*)")
_FIRST = (" ", "\x1b", "•", "✓", "✗")
_NANOSECONDS = 1e9


def plan(*, control_planes: int, workers: int, is_tuned: bool = False) -> tuple[Step, ...]:
    """List the steps of a create in their order. The last one is ours: verify and harden.

    A tuned cluster has its network from the beginning.
    """
    several = control_planes > 1
    return (
        Step.NODE_IMAGE,
        Step.NODES,
        *((Step.LOAD_BALANCER,) if several else ()),
        Step.CONFIGURATION,
        Step.CONTROL_PLANE,
        *(() if is_tuned else (Step.NETWORK,)),
        Step.STORAGE,
        *((Step.MORE_CONTROL_PLANES,) if several else ()),
        *((Step.WORKERS,) if workers else ()),
        Step.NODE_READY,
        Step.ACCESS,
    )


class StepTracker:
    """Turns lines into steps. Its state survives as JSON."""

    def __init__(self, steps: Sequence[Step], state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self._steps = tuple(steps)
        self._index: int = state.get("index", 0)
        self._since: int | None = state.get("since")
        self._step: Step | None = Step(state["step"]) if state.get("step") else None

    @property
    def step(self) -> Step | None:
        """The step that is going on."""
        return self._step

    def state(self) -> dict[str, Any]:
        """Give what `__init__` needs to go on."""
        return {"index": self._index, "since": self._since, "step": self._step}

    def read(self, text: str, at_ns: int) -> Sequence[StepStarted | StepFinished]:
        """Say what a cleaned line, printed at `at_ns` (ns since 1970), means. Mostly: nothing."""
        # All but a few lines end here; the marks are never beyond the second visible character.
        mark = mark_of(strip_colours(text)) if text.startswith(_FIRST) else None
        if mark is None:
            return ()
        sign, step = mark
        if sign == "•":
            return self.start(step, at_ns)
        return self.end(step, at_ns, "succeeded" if sign == "✓" else "failed")

    def start(self, step: Step, at_ns: int) -> Sequence[StepStarted | StepFinished]:
        """Note that a step began. One that was never said to end is taken to have ended well."""
        if step is self._step:
            return ()
        before = self.end(self._step, at_ns, "succeeded") if self._step else ()
        self._step, self._since = step, at_ns
        self._index = self._steps.index(step) + 1 if step in self._steps else max(self._index, 1)
        return (*before, StepStarted(step=step, index=self._index, total=len(self._steps)))

    def end(
        self, step: Step, at_ns: int, outcome: Literal["succeeded", "failed"]
    ) -> Sequence[StepStarted | StepFinished]:
        """Note that a step ended. Where no beginning was seen, the last end is taken."""
        since = self._since
        begun = () if step is self._step else self.start(step, at_ns if since is None else since)
        seconds = max(0, at_ns - (at_ns if since is None else since)) / _NANOSECONDS
        self._step, self._since = None, at_ns
        return (
            *begun,
            StepFinished(step=step, outcome=outcome, duration_seconds=round(seconds, 3)),
        )


def mark_of(text: str) -> tuple[str, Step] | None:
    """Read a line without colours as the sign `•`, `✓` or `✗` and its step. Mostly: None."""
    match = _MARK.match(text)
    step = _step_of(match[2]) if match else None
    return (match[1], step) if match and step else None


def _step_of(text: str) -> Step | None:
    return next((step for start, step in _STEPS if text.startswith(start)), None)
