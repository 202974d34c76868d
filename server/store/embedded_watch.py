"""Starts the embedded PostgreSQL again when it has ended, for as long as the server runs."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import anyio

from server.errors import StartFailed
from server.store.database import Outage
from server.store.embedded import EmbeddedPostgres
from server.telemetry import get_logger

LOOK_SECONDS: Final = 0.2
"""Between two looks at the postmaster. A look is two system calls."""
FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 30.0
BURST_DEATHS: Final = 25
"""So many deaths in a row are answered with a restart at once."""
SECONDS_PER_DEATH: Final = 30.0
"""A PostgreSQL that keeps dying is started this often once the burst is used up."""

log = get_logger(__name__)


@dataclass(slots=True)
class Pace:
    """How long to wait before the next start. Pure: the time is a parameter.

    A failed start doubles the delay. Deaths after a good start draw on a token bucket, so that
    one death is answered at once, and a crash loop is not a hot loop.
    """

    failures: int = 0
    tokens: float = float(BURST_DEATHS)
    counted_at: float | None = None

    def after_failure(self) -> float:
        """Return the delay after a start that failed."""
        self.failures += 1
        return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(self.failures - 1, 10))

    def after_death(self, now: float) -> float:
        """Return the delay after the death of a PostgreSQL that had started."""
        self.failures = 0
        if self.counted_at is not None:
            gained = (now - self.counted_at) / SECONDS_PER_DEATH
            self.tokens = min(float(BURST_DEATHS), self.tokens + gained)
        self.counted_at = now
        self.tokens -= 1
        return max(0.0, -self.tokens * SECONDS_PER_DEATH)


class Watch:
    """Knows whether the embedded PostgreSQL runs, and starts it again when it does not."""

    def __init__(
        self,
        postgres: EmbeddedPostgres,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._postgres = postgres
        self._monotonic = monotonic
        self._sleep = sleep
        self._pace = Pace()
        self._outage: Outage | None = None

    def outage(self) -> Outage | None:
        """Return why PostgreSQL does not answer now, as far as this process knows."""
        if self._outage is None and self._postgres.has_ended():
            return _RESTARTING
        return self._outage

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            if self._postgres.has_ended():
                await self._bring_back()
            await self._sleep(LOOK_SECONDS)

    async def _bring_back(self) -> None:
        self._outage = _RESTARTING
        since = self._monotonic()
        delay = self._pace.after_death(since)
        log.error("postgresql_ended", pid=self._postgres.pid, restart_in_seconds=round(delay, 1))
        while True:
            await self._sleep(delay)
            try:
                await self._postgres.start(must_exist=True)
            except StartFailed as error:
                delay = self._pace.after_failure()
                self._outage = Outage(
                    "PostgreSQL has ended and does not start; the server tries again",
                    reason=error.detail,
                    fix=error.fix,
                    retry_after=delay,
                )
                log.error("postgresql_start_failed", detail=error.detail, again_in_seconds=delay)
                continue
            self._outage = None
            log.warning("postgresql_restarted", seconds=round(self._monotonic() - since, 2))
            return


_RESTARTING: Final = Outage("PostgreSQL has ended; the server is starting it again")
