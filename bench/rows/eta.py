"""Whether a create is over when its forecast says: after each event, range against the true end."""

import time
from typing import Final

from bench.measure import Figure, Scale, Setting, Target
from bench.rows.labs import lab_on
from pyk8s.client.lab import Lab
from pyk8s.wire.cluster import Step
from pyk8s.wire.events import AttemptStartedEvent, ClusterEvent, StepStartedEvent
from pyk8s.wire.forecast import Eta, eta_of
from pyk8s.wire.service import Expected

CREATES: Final = {Scale.FULL: 20, Scale.QUICK: 5, Scale.TINY: 2}
LEARNED: Final = 6
"""So many creates before the first that is looked at: what the forecasts are made from."""
WAIT_SECONDS: Final = 300.0
UPDATE_SECONDS: Final = 0.5
"""A page shows the range anew several times a second; so often it is looked at here."""
SHARE: Final = 80.0


async def measure(setting: Setting) -> list[Figure]:
    """Create again and again; give the share of the updates whose range had the true end in it."""
    shares: list[float] = []
    widths: list[float] = []
    async with lab_on(setting) as lab:
        for number in range(LEARNED + CREATES[setting.scale]):
            known = (await lab.templates())[0].expected_seconds
            watched = await create(lab)
            if number >= LEARNED and known is not None:
                share, width = watched.judge(known)
                shares.append(share)
                widths.append(width)
    return [
        Figure("eta", "updates whose shown range had the true end in it", "%",
               [sum(shares) / len(shares)], targets=[Target("ours", ">=", SHARE)]),
        Figure("eta", "width of the range at the beginning", "s", widths),
    ]  # fmt: skip


class Watched:
    """When what happened, by this process's clock."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.steps: list[tuple[float, Step]] = []
        self.ready = 0.0

    def on_event(self, event: ClusterEvent) -> None:
        """Take an event as it comes."""
        if isinstance(event, AttemptStartedEvent):
            self.began = time.perf_counter()
        if isinstance(event, StepStartedEvent):
            self.steps.append((time.perf_counter(), event.data.step))

    def judge(self, expected: Expected) -> tuple[float, float]:
        """Give the share of right updates in per cent, and how wide the first range was."""
        at, right, count, first = self.began, 0, 0, 0.0
        while at < self.ready:
            eta = self._eta(expected, at)
            left = self.ready - at
            count += 1
            if eta is not None:
                low, high = eta.shown
                right += low <= left <= high
                first = first or high - low
            at += UPDATE_SECONDS
        return 100.0 * right / max(1, count), first

    def _eta(self, expected: Expected, at: float) -> Eta | None:
        begun = [(since, step) for since, step in self.steps if since <= at]
        since, step = begun[-1] if begun else (at, None)
        return eta_of(expected, spent=at - self.began, step=step, in_step=at - since)


async def create(lab: Lab) -> Watched:
    """Create one and delete it."""
    watched = Watched()
    cluster = await lab.clusters.create()
    await cluster.wait("ready", timeout_seconds=WAIT_SECONDS, on_event=watched.on_event)
    watched.ready = time.perf_counter()
    await cluster.delete()
    await cluster.wait("deleted", timeout_seconds=WAIT_SECONDS)
    return watched
