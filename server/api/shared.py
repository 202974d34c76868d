"""One answer for all who ask at the same time, and for a moment after."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Shared(Generic[Value]):
    """Asks at most once in so many seconds, however many want to know.

    Whoever comes while it is being asked waits for that answer. A failure is not kept.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Value]],
        *,
        seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._monotonic = monotonic
        self._asking: asyncio.Task[Value] | None = None
        self._answered_at = float("-inf")

    async def get(self) -> Value:
        """Return the answer, which is at most so many seconds old."""
        if self._asking is None or self._is_over(self._asking):
            self._asking = asyncio.create_task(self._once())
        # One caller that leaves must not end what the others wait for.
        return await asyncio.shield(self._asking)

    def _is_over(self, asking: "asyncio.Task[Value]") -> bool:
        if not asking.done():
            return False
        if asking.cancelled() or asking.exception() is not None:
            return True
        return self._monotonic() - self._answered_at >= self._seconds

    async def _once(self) -> Value:
        value = await self._ask()
        self._answered_at = self._monotonic()
        return value
