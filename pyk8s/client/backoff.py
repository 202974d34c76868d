"""How long to wait before trying again: exponential, with full jitter."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

LARGEST_EXPONENT = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Wait a random part of a span that doubles, so that many clients do not return in step.

    `random` gives [0, 1), `sleep` waits seconds, `clock` is monotonic seconds: parameters, so
    that a test needs no time.
    """

    base_seconds: float = 0.25
    cap_seconds: float = 10.0
    random: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic

    def delay(self, attempt: int) -> float:
        """Give the seconds to wait before `attempt`, which counts from 1."""
        span = self.base_seconds * 2.0 ** min(attempt - 1, LARGEST_EXPONENT)
        return self.random() * min(self.cap_seconds, span)
