"""Loops of the server that are run again when a defect ends them."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import anyio

from pyk8s.wire.service import Check
from server.telemetry import get_logger

FIRST_PAUSE_SECONDS: Final = 1.0
MOST_PAUSE_SECONDS: Final = 60.0
"""The pause doubles up to this with each end, and begins anew after a run of twice as long."""

TOLD_SECONDS: Final = 300.0
"""So long after an end `/readyz` tells of it."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _End:
    why: str
    at: float


class Supervisor:
    """Starts loops again, and knows which of them ended lately."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._monotonic = monotonic
        self._ends: dict[str, _End] = {}

    async def run(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop until cancelled. One that ends would take the whole server with it."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            began = self._monotonic()
            try:
                await loop()
                why = "it returned"
            except Exception as error:
                log.exception("loop_broke", loop=name, again_in_seconds=pause)
                why = type(error).__name__
            now = self._monotonic()
            if now - began > 2 * MOST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._ends[name] = _End(why, now)
            await self._sleep(pause)
            pause = min(2 * pause, MOST_PAUSE_SECONDS)

    def checks(self) -> list[Check]:
        """Return what `/readyz` says of the loops that ended lately."""
        now = self._monotonic()
        ended = {name: end.why for name, end in self._ends.items() if now - end.at < TOLD_SECONDS}
        if not ended:
            return []
        listed = ", ".join(f"{name} ({why})" for name, why in sorted(ended.items()))
        return [
            Check(
                name="loops",
                ok=False,
                detail=f"ended by a defect of the server and started again: {listed}",
                fix="tell the maintainers what `loop_broke` says in the server's log",
                required=False,
            )
        ]
