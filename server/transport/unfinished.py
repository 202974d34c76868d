"""Requests that have not come whole yet: a limit for those of all connections of a port together.

Each one is bounded in size and time by itself. Thousands at once would still take gigabytes.
"""

from typing import Final, Protocol

MAX_BYTES: Final = 64 * 1024 * 1024
"""What all of them may take. Browsers and kubectl send heads of about 2 KiB with 20 headers, which
count for 6 KiB: ten thousand of them at once stay below."""

HEADER_BYTES: Final = 200
"""What each header takes in memory besides its text."""


class Abortable(Protocol):
    """The part of a transport that matters here."""

    def abort(self) -> None:
        """Close at once."""


class Unfinished:
    """Counts what unfinished requests take, and aborts the largest ones beyond the limit.

    Among those of about the same size the one that grew first goes first. Who sends what clients
    usually send is never ended for the sake of one who sends as much as may be.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._sizes: dict[Abortable, int] = {}
        self._by_magnitude: dict[int, dict[Abortable, None]] = {}
        """Connections by the number of bits of their size, so that a large one is found at once."""
        self._total = 0

    @property
    def total(self) -> int:
        """The bytes that count now."""
        return self._total

    def note(self, transport: Abortable, size: int) -> None:
        """Count a connection's unfinished request as this large."""
        before = self._sizes.get(transport, 0)
        if size == before:
            return
        self._sizes[transport] = size
        self._total += size - before
        if size.bit_length() != before.bit_length():
            self._leave(transport, before)
            self._by_magnitude.setdefault(size.bit_length(), {})[transport] = None
        while self._total > self._max_bytes:
            largest = self._by_magnitude[max(self._by_magnitude)]
            victim = next(iter(largest))
            self.forget(victim)
            victim.abort()

    def forget(self, transport: Abortable) -> None:
        """Count it no longer: the request is whole, or its connection has gone."""
        size = self._sizes.pop(transport, None)
        if size is not None:
            self._total -= size
            self._leave(transport, size)

    def _leave(self, transport: Abortable, size: int) -> None:
        same = self._by_magnitude.get(size.bit_length())
        if same is not None:
            same.pop(transport, None)
            if not same:
                del self._by_magnitude[size.bit_length()]
