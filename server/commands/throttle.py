"""Wrong tries for each key: after a few, each further try must wait longer."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from server.errors import TooManyAttempts
from server.errors.limits import RateLimit

POLICY = "tries"
FREE_TRIES = 5
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 300.0
MOST_COUNTED = FREE_TRIES + math.ceil(math.log2(LONGEST_WAIT_SECONDS / FIRST_WAIT_SECONDS))
"""From here on the wait is the longest one, and counting further would change nothing."""
REMEMBERED = 32_768
"""Keys with wrong tries. Those with the fewest are forgotten first: to make the server forget a
name, somebody needs as many wrong tries for each of so many others. That is 32,768 hashes for each
try gained, about as long as the longest wait, at the hundred hashes a second of two cores."""


@dataclass(slots=True)
class Attempt:
    """A try that was let pass and is counted as wrong until it is known to be right."""

    is_right: bool = False


class Throttle:
    """Counts in memory: a restart forgives. The clock (seconds, monotonic) is a parameter.

    A try is counted when it begins, so that parallel ones see each other.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._by_count: list[OrderedDict[str, float]] = [
            OrderedDict() for _ in range(MOST_COUNTED + 1)
        ]
        """For each count: the keys that have it, with the time of their last try, oldest first."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def attempt(self, key: str) -> AsyncIterator[Attempt]:
        """Let one try of a key pass, alone; set `is_right` if it was.

        A block that ends in an exception has told nobody whether the try was right, and is not
        counted.

        Raises:
            TooManyAttempts: it is too early.
        """
        before = self._found(key)
        self.count(key)
        attempt = Attempt()
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                yield attempt
        except BaseException:
            self._take_back(key, before)
            raise
        if attempt.is_right:
            self._forget(key)

    def count(self, key: str) -> None:
        """Count a wrong try.

        Raises:
            TooManyAttempts: it is too early for another one.
        """
        left = self._left(key)
        if left > 0:
            raise TooManyAttempts(
                "too many wrong tries",
                fix=f"wait {math.ceil(left)} s and try again",
                retry_after=math.ceil(left),
                limit=self.limit(key),
            )
        count, _ = self._found(key)
        self._note(key, min(count + 1, MOST_COUNTED), self._clock())

    def limit(self, key: str) -> RateLimit:
        """Return how many tries of a key are left, or when there is another one."""
        count, _ = self._found(key)
        left = self._left(key)
        if count < FREE_TRIES:
            return RateLimit(POLICY, FREE_TRIES, FREE_TRIES - count)
        return RateLimit(POLICY, FREE_TRIES, 0 if left > 0 else 1, left if left > 0 else None)

    def _left(self, key: str) -> float:
        """Return how many seconds a key has to wait for its next try."""
        count, since = self._found(key)
        if count < FREE_TRIES:
            return 0.0
        wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (count - FREE_TRIES))
        return max(0.0, since + wait - self._clock())

    def _found(self, key: str) -> tuple[int, float]:
        for count, keys in enumerate(self._by_count):
            if key in keys:
                return count, keys[key]
        return 0, 0.0

    def _note(self, key: str, count: int, since: float) -> None:
        self._forget(key)
        if count:
            self._by_count[count][key] = since
        if sum(map(len, self._by_count)) > REMEMBERED:
            next(keys for keys in self._by_count if keys).popitem(last=False)

    def _take_back(self, key: str, before: tuple[int, float]) -> None:
        count, since = self._found(key)
        counted = min(before[0] + 1, MOST_COUNTED)
        if count == counted:
            self._note(key, *before)
        elif count > counted:  # another one of the key has begun since: its time stays
            self._note(key, count - 1, since)
        # Else a right one has ended since, and all were forgotten.

    def _forget(self, key: str) -> None:
        for keys in self._by_count:
            keys.pop(key, None)
