"""Answers that clients have not taken yet: a least rate for each, and a limit for all together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

WINDOW_SECONDS: Final = 30.0
TAKEN_BYTES_PER_WINDOW: Final = 30 * 1024
"""A client that takes less than 1 KiB/s of what waits for it is cut off. Buffers of kernels empty
in steps of up to 64 KiB, so that a shorter window would cut off clients that read."""

MAX_BYTES: Final = 128 * 1024 * 1024
"""Of all answers that wait for their clients. Beyond it those go that have waited for longest."""


class Writable(Protocol):
    """The part of a transport that matters here."""

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that wait."""

    def abort(self) -> None:
        """Close at once."""


@dataclass(slots=True)
class _Waiting:
    size: int
    timer: asyncio.TimerHandle


class Unsent:
    """Watches over the connections whose peers take less than they get."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._waiting: dict[Writable, _Waiting] = {}
        self._total = 0

    def watch(self, transport: Writable, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch a connection: more waits for its peer than should."""
        self.forget(transport)
        self._note(transport, loop.call_later)
        while self._total > self._max_bytes and len(self._waiting) > 1:
            self._end_oldest(loop.call_later)

    def forget(self, transport: Writable) -> None:
        """Stop watching: the peer has taken it, or has gone."""
        waiting = self._waiting.pop(transport, None)
        if waiting is not None:
            waiting.timer.cancel()
            self._total -= waiting.size

    def _note(self, transport: Writable, call_later: Callable[..., asyncio.TimerHandle]) -> None:
        size = transport.get_write_buffer_size()
        timer = call_later(WINDOW_SECONDS, self._look, transport, call_later)
        self._waiting[transport] = _Waiting(size, timer)
        self._total += size

    def _look(self, transport: Writable, call_later: Callable[..., asyncio.TimerHandle]) -> None:
        before = self._waiting[transport].size
        self.forget(transport)
        if before - transport.get_write_buffer_size() < TAKEN_BYTES_PER_WINDOW:
            transport.abort()
        else:
            self._note(transport, call_later)

    def _end_oldest(self, call_later: Callable[..., asyncio.TimerHandle]) -> None:
        oldest = next(iter(self._waiting))
        self.forget(oldest)
        oldest.abort()
