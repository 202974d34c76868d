"""The line in front of the pool of connections: bounded, in order, and given up when nothing moves.

SQLAlchemy's pool lets everybody wait for the same few seconds, so that a rush is refused although
the database works. Here whoever waits goes on waiting while the line moves. The server's own loops
(leases, the event log) go before people: a lease that is not renewed costs a build.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Final

LOOK_SECONDS: Final = 0.5
"""Between two looks of a waiter whether the line still moves."""


class Lane(IntEnum):
    """Who goes first."""

    SERVER = 0
    PEOPLE = 1


class LineFull(Exception):
    """As many wait as may, or one has waited for too long although the line moves."""


class LineStopped(Exception):
    """Nobody has come through for a while: the database does not answer."""


class Gate:
    """Lets so many in at once; the others wait in line."""

    def __init__(
        self,
        places: int,
        *,
        most_waiting: int,
        patience_seconds: float,
        stopped_seconds: float,
        is_out: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = places
        self._most_waiting = most_waiting
        self._patience_seconds = patience_seconds
        self._stopped_seconds = stopped_seconds
        self._is_out = is_out
        self._monotonic = monotonic
        self._lanes: tuple[deque[asyncio.Future[None]], ...] = tuple(deque() for _ in Lane)
        self._moved_at = float("-inf")

    @property
    def waiting(self) -> int:
        """How many people wait in line."""
        return len(self._lanes[Lane.PEOPLE])

    @property
    def most_waiting(self) -> int:
        """How many people may."""
        return self._most_waiting

    async def enter(self, lane: Lane) -> None:
        """Wait for a place. Whoever got one calls `leave`.

        Raises:
            LineFull: too many wait, or the wait was too long.
            LineStopped: nothing moves.
        """
        if self._free > 0:
            self._free -= 1
            return
        line = self._lanes[lane]
        if lane is Lane.PEOPLE and len(line) >= self._most_waiting:
            raise LineFull
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(place)
        try:
            await self._wait(place)
        except BaseException:
            if place.done() and not place.cancelled():
                self.leave(well=False)  # it was called in the moment in which it gave up
            else:
                line.remove(place)
            raise

    async def _wait(self, place: asyncio.Future[None]) -> None:
        began = self._monotonic()
        while not (await asyncio.wait([place], timeout=LOOK_SECONDS))[0]:
            now = self._monotonic()
            if self._is_out() or now - max(began, self._moved_at) > self._stopped_seconds:
                raise LineStopped
            if now - began > self._patience_seconds:
                raise LineFull

    def leave(self, *, well: bool) -> None:
        """Give the place to the next in line. `well`: the database did what it was asked."""
        if well:
            self._moved_at = self._monotonic()
        for line in self._lanes:
            if line:
                line.popleft().set_result(None)
                return
        self._free += 1
