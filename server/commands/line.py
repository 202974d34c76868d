"""A bounded, fair line in front of a scarce resource."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Container, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from server.errors import SignInBusy

RETRY_SECONDS = 2.0
"""About as long as a full line takes."""

Choose = Callable[[Sequence[Hashable]], Hashable]
"""Returns one of several; in production at random."""


@dataclass(frozen=True, slots=True)
class Share:
    """Whose turns are counted together.

    `path`: from the widest group to the narrowest, such as the networks that an address is in.
    Turns go round between the groups of each level. `is_trusted`: it has a part of the turns that
    no other share can take.
    """

    path: tuple[Hashable, ...]
    is_trusted: bool = False


class Line:
    """At most `at_once` at work and `most_waiting` waiting.

    Turns go round between shares, so one share with many waiting delays another one by one turn
    only. When the line is full, the last of the longest share makes room for a shorter one. Where
    every share has one waiting, one that `choose` picks makes room for a new share: who came first
    cannot keep others out.

    A trusted share is not displaced and has at most `most_trusted` waiting. Of two turns one is for
    trusted shares, and one trusted share has one turn at work: it cannot keep others out either.
    """

    def __init__(
        self, *, at_once: int, most_waiting: int, most_trusted: int, choose: Choose
    ) -> None:
        self._free = at_once
        self._most_waiting = most_waiting
        self._most_trusted = most_trusted
        self._choose = choose
        self._trusted = _Round()
        self._others = _Round()
        self._trusted_at_work: set[Hashable] = set()
        self._was_trusted = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._trusted.count + self._others.count

    @asynccontextmanager
    async def turn(self, share: Share) -> AsyncIterator[None]:
        """Wait for a turn and hold it during the block.

        Raises:
            SignInBusy: the line is full, or somebody of another share was let in instead.
        """
        if self._free and not (share.is_trusted and share.path[0] in self._trusted_at_work):
            self._begin(share)
        else:
            await self._wait(share)
        try:
            yield
        finally:
            self._end(share)

    async def _wait(self, share: Share) -> None:
        ring = self._trusted if share.is_trusted else self._others
        if share.is_trusted:
            if ring.count_of(share.path) >= self._most_trusted:
                raise _busy()
        elif ring.count >= self._most_waiting:
            displaced = ring.displace_for(share.path, self._choose)
            if displaced is None:
                raise _busy()
            displaced.set_exception(_busy())
        waiter = _Waiter(share, asyncio.get_running_loop().create_future())
        ring.add(share.path, waiter)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.has_turn:
                self._end(share)
            else:
                ring.remove(share.path, waiter)
            raise

    def _begin(self, share: Share) -> None:
        self._free -= 1
        self._was_trusted = share.is_trusted
        if share.is_trusted:
            self._trusted_at_work.add(share.path[0])

    def _end(self, share: Share) -> None:
        self._free += 1
        if share.is_trusted:
            self._trusted_at_work.discard(share.path[0])
        while self._free:
            waiter = self._next()
            if waiter is None:
                return
            if not waiter.turn.done():
                self._begin(waiter.share)
                waiter.turn.set_result(None)

    def _next(self) -> "_Waiter | None":
        if self._was_trusted and self._others.count:
            return self._others.next()
        return self._trusted.next(self._trusted_at_work) or self._others.next()


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    share: Share
    turn: asyncio.Future[None]

    def set_exception(self, error: Exception) -> None:
        if not self.turn.done():
            self.turn.set_exception(error)

    @property
    def has_turn(self) -> bool:
        turn = self.turn
        return turn.done() and not turn.cancelled() and turn.exception() is None


@dataclass(slots=True)
class _Round:
    """Those who wait, as a tree of shares; the shares of each level take turns."""

    count: int = 0
    _groups: "OrderedDict[Hashable, _Round]" = field(default_factory=OrderedDict)
    _waiters: deque[_Waiter] = field(default_factory=deque)

    def count_of(self, path: Sequence[Hashable]) -> int:
        if not path:
            return self.count
        group = self._groups.get(path[0])
        return group.count_of(path[1:]) if group is not None else 0

    def add(self, path: Sequence[Hashable], waiter: _Waiter) -> None:
        self.count += 1
        if path:
            self._groups.setdefault(path[0], _Round()).add(path[1:], waiter)
        else:
            self._waiters.append(waiter)

    def next(self, passed_over: Container[Hashable] = ()) -> _Waiter | None:
        """Take out whose turn it is, if anybody's; `passed_over`: groups that have none now."""
        if self._waiters:
            self.count -= 1
            return self._waiters.popleft()
        for key, group in self._groups.items():
            if key not in passed_over:
                self._groups.move_to_end(key)  # behind all others
                return self._taken_from(key, group.next())
        return None

    def remove(self, path: Sequence[Hashable], waiter: _Waiter) -> bool:
        if not path:
            if waiter not in self._waiters:
                return False
            self._waiters.remove(waiter)
            self.count -= 1
            return True
        group = self._groups.get(path[0])
        if group is None or not group.remove(path[1:], waiter):
            return False
        self._taken_from(path[0], waiter)
        return True

    def displace_for(self, path: Sequence[Hashable], choose: Choose) -> _Waiter | None:
        """Take out who makes room for a newcomer; None: the newcomer's own share is the longest."""
        if not path:
            return None
        own = self._groups.get(path[0])
        longest = max(group.count for group in self._groups.values())
        if own is not None and own.count + 1 >= longest:
            return self._taken_from(path[0], own.displace_for(path[1:], choose))
        return self._drop(choose)

    def _drop(self, choose: Choose) -> _Waiter:
        """Take out the last of the longest share."""
        if self._waiters:
            self.count -= 1
            return self._waiters.pop()
        longest = max(group.count for group in self._groups.values())
        key = choose([key for key, group in self._groups.items() if group.count == longest])
        waiter = self._groups[key]._drop(choose)
        self._taken_from(key, waiter)
        return waiter

    def _taken_from(self, key: Hashable, waiter: _Waiter | None) -> _Waiter | None:
        if waiter is not None:
            self.count -= 1
            if not self._groups[key].count:
                del self._groups[key]
        return waiter


def _busy() -> SignInBusy:
    return SignInBusy(
        "more passwords wait to be checked than this server checks at a time",
        fix="try again in some seconds",
        retry_after=RETRY_SECONDS,
    )
