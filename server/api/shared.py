"""One answer for all who ask at the same time, and for a moment after."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from server.drivers import shared

Value = TypeVar("Value")


class Shared(Generic[Value]):
    """One question that is asked at most once in so many seconds, however many want to know.

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
        self._answers = shared.Shared[None, Value](seconds=seconds, at_once=1, clock=monotonic)

    async def get(self) -> Value:
        """Return the answer, which is at most so many seconds old."""
        return await self._answers.get(None, self._ask)
