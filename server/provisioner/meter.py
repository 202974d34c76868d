"""Measures what clusters take, so that admission knows it for the next ones."""

import asyncio
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from pyk8s.wire.cluster import Phase
from server.drivers.base import Driver, Usage
from server.errors import LabError
from server.provisioner import verdicts
from server.provisioner.workshop import Workshop
from server.store import needs, sweep
from server.telemetry import get_logger

METER_SECONDS: Final = 60.0
USAGE_SECONDS: Final = 5.0
"""What is not told by then is not worth waiting for."""

log = get_logger(__name__)


async def usage_of(driver: Driver, attempt_id: UUID) -> Usage | None:
    """Measure a cluster, if it can be measured quickly."""
    try:
        async with asyncio.timeout(USAGE_SECONDS):
            return await driver.usage(attempt_id)
    except TimeoutError:
        return None


class Meter:
    """Looks at the ready clusters of one host, again and again."""

    def __init__(
        self,
        shop: Workshop,
        *,
        seconds: float = METER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shop = shop
        self._seconds = seconds
        self._clock = clock
        self._before: dict[UUID, tuple[float, float]] = {}
        """When each was measured last, and how much CPU time it had used by then."""

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.measure()
            except LabError as error:
                log.warning("not_measured", code=error.code, detail=error.detail)
            except Exception:
                log.exception("measuring_broke")

    async def measure(self) -> None:
        """Measure each ready cluster once.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        async with self._shop.database.reading() as session:
            rows = await sweep.standings(session, self._shop.host_id)
        ready = {
            row.attempt_id
            for row in rows.values()
            if row.phase is Phase.READY
            and verdicts.is_finished(row)
            and row.driver == self._shop.driver.name
        }
        self._before = {each: seen for each, seen in self._before.items() if each in ready}
        for attempt_id in ready:
            used = await usage_of(self._shop.driver, attempt_id)
            if used is None:
                continue
            cores = self._cores(attempt_id, used)
            async with self._shop.database.transaction() as session:
                await needs.note_standing(
                    session, attempt_id, memory_bytes=used.memory_bytes, cores=cores
                )

    def _cores(self, attempt_id: UUID, used: Usage) -> float | None:
        """Tell how busy it was since it was measured last; a restarted node counts anew."""
        now = self._clock()
        at, seconds = self._before.get(attempt_id, (now, used.cpu_seconds))
        self._before[attempt_id] = (now, used.cpu_seconds)
        if now <= at or used.cpu_seconds < seconds:
            return None
        return (used.cpu_seconds - seconds) / (now - at)
