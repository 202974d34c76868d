"""A limit on the rate at which one cluster's answers are read and parsed."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

BYTES_PER_SECOND: Final = 1024 * 1024
"""Parsing JSON keeps the event loop busy for up to 75 ms a MiB, on a busy machine."""
BURST_BYTES: Final = 4 * 1024 * 1024
"""Read at once. The lists of a usual cluster have less than 1 MiB."""


class Pace:
    """A token bucket that all lists and watches of one cluster share."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._now = now
        self._debt_bytes = 0.0
        self._counted_at = now()

    async def take(self, count: int) -> None:
        """Count bytes that were read, and wait until there is room for more."""
        now = self._now()
        paid = (now - self._counted_at) * BYTES_PER_SECOND
        self._debt_bytes = max(0.0, self._debt_bytes - paid) + count
        self._counted_at = now
        await self._sleep(max(0.0, self._debt_bytes - BURST_BYTES) / BYTES_PER_SECOND)
