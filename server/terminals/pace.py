"""How fast the output of terminals is read: each user has a rate, and all users share another.

A program that prints without an end, in however many terminals, is read no faster than that, and
waits. What others ask of this process does not wait for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

BURST_BYTES: Final = 16 * 1024 * 1024
"""So much of a user's output comes at once after a time of quiet: a file of some MiB on the screen
is not held up."""

PIECE_BYTES: Final = 8 * 1024
"""A piece counts for no less: a small one takes nearly as much of the event loop's time."""

USERS_AT_FULL_RATE: Final = 4
"""When more users than this flood at once they share what these would get."""

COUNT_SECONDS: Final = 0.1
"""Between two counts of the users who flood."""


@dataclass(slots=True)
class _Account:
    left: float
    at: float
    in_debt_until: float = float("-inf")


class Pace:
    """Charges the output of all terminals of this process to their users."""

    def __init__(self, bytes_per_second: float, clock: Callable[[], float]) -> None:
        """`bytes_per_second`: of one user. `clock` is monotonic seconds."""
        self._bytes_per_second = bytes_per_second
        self._clock = clock
        self._accounts: dict[UUID, _Account] = {}
        self._rate = bytes_per_second
        self._counted_at = float("-inf")

    def charge(self, user_id: UUID, size: int) -> float:
        """Count a piece of output; return how many seconds to wait before more is read."""
        now = self._clock()
        if now - self._counted_at >= COUNT_SECONDS:
            self._count(now)
        account = self._accounts.setdefault(user_id, _Account(BURST_BYTES, now))
        account.left = self._left(account, now) - max(size, PIECE_BYTES)
        account.at = now
        if account.left >= 0:
            return 0.0
        seconds = -account.left / self._rate
        account.in_debt_until = now + seconds
        return seconds

    def _left(self, account: _Account, now: float) -> float:
        return min(BURST_BYTES, account.left + (now - account.at) * self._rate)

    def _count(self, now: float) -> None:
        """Share the rate among those who flood, and forget those who owe nothing."""
        self._counted_at = now
        for user_id, account in [*self._accounts.items()]:
            if self._left(account, now) >= BURST_BYTES:
                del self._accounts[user_id]
        flooding = sum(each.in_debt_until > now for each in self._accounts.values())
        share = min(1.0, USERS_AT_FULL_RATE / max(1, flooding))
        self._rate = self._bytes_per_second * share
