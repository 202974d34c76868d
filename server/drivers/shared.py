"""Answers that cost something: asked for once however many want them, and kept for a moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Shared(Generic[Key, Value]):
    """Who asks while the answer is on its way waits for the same one. Failures are not kept.

    What was begun goes on when its callers hang up, for the next one; it has to limit its time.
    """

    def __init__(
        self, *, seconds: float, at_once: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`seconds`: how long an answer is kept. `at_once`: of how many keys; others wait."""
        self._seconds = seconds
        self._limiter = anyio.CapacityLimiter(at_once)
        self._clock = clock
        self._under_way: dict[Key, asyncio.Task[Value]] = {}
        self._kept: dict[Key, tuple[float, Value]] = {}

    async def get(self, key: Key, ask: Callable[[], Awaitable[Value]]) -> Value:
        """Return the answer for `key`, by `ask` if there is none. Raises what `ask` raises."""
        found = self._kept.get(key)
        if found is not None and found[0] > self._clock():
            return found[1]
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, ask))
            self._under_way[key] = task
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    def forget(self, key: Key) -> None:
        """Ask anew next time: the answer has changed."""
        self._kept.pop(key, None)
        self._under_way.pop(key, None)

    async def _ask(self, key: Key, ask: Callable[[], Awaitable[Value]]) -> Value:
        me = asyncio.current_task()
        try:
            async with self._limiter:
                value = await ask()
            if self._under_way.get(key) is me:  # not if it was forgotten meanwhile
                now = self._clock()
                self._kept = {each: kept for each, kept in self._kept.items() if kept[0] > now}
                self._kept[key] = (now + self._seconds, value)
            return value
        finally:
            if self._under_way.get(key) is me:
                del self._under_way[key]


def _retrieve(task: asyncio.Task[Value]) -> None:
    """Take note of a failure for which nobody waits any more."""
    if not task.cancelled():
        task.exception()
