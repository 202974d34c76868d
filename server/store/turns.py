"""Turns that go round between shares, so that nobody's many requests delay another's one."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Turns:
    """Those who wait, by share; the shares take turns."""

    _shares: OrderedDict[Hashable, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)
    _count: int = 0

    def __len__(self) -> int:
        """Return how many wait."""
        return self._count

    def length_of(self, key: Hashable) -> int:
        """Return how many of a share wait."""
        return len(self._shares.get(key, ()))

    def displaced_by(self, key: Hashable) -> asyncio.Future[None] | None:
        """Remove the last of the longest share to make room for one of another share.

        None: no share is longer than that one would be.
        """
        if not self._shares:
            return None
        longest = max(self._shares, key=lambda each: len(self._shares[each]))
        if self.length_of(longest) <= self.length_of(key) + 1:
            return None
        turn = self._shares[longest].pop()
        self._count -= 1
        return turn

    def add(self, key: Hashable, turn: asyncio.Future[None]) -> None:
        """Let somebody of a share wait."""
        self._shares.setdefault(key, deque()).append(turn)
        self._count += 1

    def next(self) -> asyncio.Future[None]:
        """Remove and return whose turn it is."""
        key, turns = self._shares.popitem(last=False)
        turn = turns.popleft()
        self._count -= 1
        if turns:
            self._shares[key] = turns  # behind all others
        return turn

    def remove(self, key: Hashable, turn: asyncio.Future[None]) -> None:
        """Remove somebody who has given up, if he still waits."""
        if turn in self._shares.get(key, ()):
            self._shares[key].remove(turn)
            self._count -= 1
            if not self._shares[key]:
                del self._shares[key]
