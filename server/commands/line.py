"""A bounded, fair line in front of a scarce resource."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from server.errors import SignInBusy

RETRY_SECONDS = 2.0
"""About as long as a full line takes."""


@dataclass(frozen=True, slots=True)
class Share:
    """Whose turns are counted together. `is_trusted`: it goes before all others."""

    key: Hashable
    is_trusted: bool = False


class Line:
    """At most `at_once` at work and `most_waiting` waiting.

    Turns go round between shares, so one share with many waiting delays another one by one turn
    only. When the line is full, the last of the longest share makes room for a shorter one: one
    address cannot keep others out. A trusted share waits before all others and is not displaced;
    it has at most `most_trusted` waiting.
    """

    def __init__(self, *, at_once: int, most_waiting: int, most_trusted: int) -> None:
        self._free = at_once
        self._most_waiting = most_waiting
        self._most_trusted = most_trusted
        self._trusted = _Round()
        self._others = _Round()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._trusted) + len(self._others)

    @asynccontextmanager
    async def turn(self, share: Share) -> AsyncIterator[None]:
        """Wait for a turn and hold it during the block.

        Raises:
            SignInBusy: the line is full, or somebody of a shorter share was let in instead.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(share)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, share: Share) -> None:
        ring = self._trusted if share.is_trusted else self._others
        if share.is_trusted:
            if ring.length_of(share.key) >= self._most_trusted:
                raise _busy()
        elif len(ring) >= self._most_waiting:
            longest = ring.longest()
            if ring.length_of(longest) <= ring.length_of(share.key) + 1:
                raise _busy()
            ring.drop_last(longest).set_exception(_busy())
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ring.add(share.key, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()  # it was ours already
            else:
                ring.remove(share.key, turn)
            raise

    def _pass_on(self) -> None:
        for ring in (self._trusted, self._others):
            while ring:
                turn = ring.next()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1


@dataclass(slots=True)
class _Round:
    """Those who wait, by share; the shares take turns."""

    _shares: OrderedDict[Hashable, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)
    _count: int = 0

    def __len__(self) -> int:
        return self._count

    def length_of(self, key: Hashable) -> int:
        return len(self._shares.get(key, ()))

    def longest(self) -> Hashable:
        return max(self._shares, key=lambda key: len(self._shares[key]))

    def add(self, key: Hashable, turn: asyncio.Future[None]) -> None:
        self._shares.setdefault(key, deque()).append(turn)
        self._count += 1

    def next(self) -> asyncio.Future[None]:
        key, turns = self._shares.popitem(last=False)
        turn = turns.popleft()
        self._count -= 1
        if turns:
            self._shares[key] = turns  # behind all others
        return turn

    def drop_last(self, key: Hashable) -> asyncio.Future[None]:
        turn = self._shares[key].pop()
        self._count -= 1
        if not self._shares[key]:
            del self._shares[key]
        return turn

    def remove(self, key: Hashable, turn: asyncio.Future[None]) -> None:
        if turn in self._shares.get(key, ()):
            self._shares[key].remove(turn)
            self._count -= 1
            if not self._shares[key]:
                del self._shares[key]


def _busy() -> SignInBusy:
    return SignInBusy(
        "more passwords wait to be checked than this server checks at a time",
        fix="try again in some seconds",
        retry_after=RETRY_SECONDS,
    )
