"""The line in front of the pool of connections: bounded, fair, and given up when nothing moves.

SQLAlchemy's pool lets everybody wait for the same few seconds, so that a rush is refused although
the database works. Here whoever waits goes on waiting while the line moves. The server's own loops
(leases, the event log) go before people three times out of four: a lease that is not renewed costs
a build. Lookups of secrets and names that nobody has shown to be good wait in a lane of their
own, so that made-up ones keep nobody out. In each lane turns go round between shares.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Final

from server.store.turns import Turns

LOOK_SECONDS: Final = 0.5
"""Between two looks of a waiter whether the line still moves."""

OTHERS_TURN: Final = 4
"""While the server's own loops wait, every fourth place goes to somebody else: with many followers
and a slow database these loops always wait, and people would wait until they are refused."""

STRANGERS_TURN: Final = 4
"""While people wait, every fourth place of theirs goes to strangers: who signs in with a session
that this process has not seen yet must come through as well."""


class Lane(IntEnum):
    """Who goes first."""

    SERVER = 0
    PEOPLE = 1
    STRANGERS = 2


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
        self._lanes = {lane: Turns() for lane in Lane}
        self._limits = {
            Lane.PEOPLE: most_waiting,
            Lane.STRANGERS: most_waiting,
        }
        self._since_others = 0
        self._since_strangers = 0
        self._moved_at = float("-inf")

    @property
    def waiting(self) -> int:
        """How many people wait in line."""
        return len(self._lanes[Lane.PEOPLE])

    @property
    def most_waiting(self) -> int:
        """How many people may."""
        return self._most_waiting

    async def enter(self, lane: Lane, share: Hashable = None) -> None:
        """Wait for a place. Whoever got one calls `leave`. `share`: whose turns count together.

        When a lane is full, the last of its longest share makes room for a shorter one.

        Raises:
            LineFull: too many wait, or the wait was too long.
            LineStopped: nothing moves.
        """
        if self._free > 0:
            self._free -= 1
            return
        line = self._lanes[lane]
        if lane in self._limits and len(line) >= self._limits[lane]:
            displaced = line.displaced_by(share)
            if displaced is None:
                raise LineFull
            displaced.set_exception(LineFull())
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.add(share, place)
        try:
            await self._wait(place)
        except BaseException:
            if place.done() and place.exception() is None:
                self.leave(well=False)  # it was called in the moment in which it gave up
            else:
                line.remove(share, place)
            raise

    async def _wait(self, place: asyncio.Future[None]) -> None:
        began = self._monotonic()
        while not (await asyncio.wait([place], timeout=LOOK_SECONDS))[0]:
            now = self._monotonic()
            if self._is_out() or now - max(began, self._moved_at) > self._stopped_seconds:
                raise LineStopped
            if now - began > self._patience_seconds:
                raise LineFull
        place.result()

    def leave(self, *, well: bool) -> None:
        """Give the place to the next in line. `well`: the database did what it was asked."""
        if well:
            self._moved_at = self._monotonic()
        lane = self._next_lane()
        if lane is None:
            self._free += 1
        else:
            self._lanes[lane].next().set_result(None)

    def _next_lane(self) -> Lane | None:
        waiting = [lane for lane in Lane if self._lanes[lane]]
        if len(waiting) > 1 and waiting[0] is Lane.SERVER:
            self._since_others = (self._since_others + 1) % OTHERS_TURN
            if self._since_others:
                return Lane.SERVER
            del waiting[0]
        if waiting == [Lane.PEOPLE, Lane.STRANGERS]:
            self._since_strangers = (self._since_strangers + 1) % STRANGERS_TURN
            return Lane.STRANGERS if self._since_strangers == 0 else Lane.PEOPLE
        return waiting[0] if waiting else None
