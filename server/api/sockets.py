"""How many sockets each user has open in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from server.errors import LabError

PER_USER = 20


class TooManySockets(LabError):
    """The user has as many streams open as one may have."""

    code = "too_many_sockets"
    status = 429
    title = "Too many open streams"


class SocketCount:
    """Admits sockets up to a number for each user."""

    def __init__(self, per_user: int = PER_USER) -> None:
        self._per_user = per_user
        self._open: Counter[UUID] = Counter()

    @contextmanager
    def admit(self, user_id: UUID) -> Iterator[None]:
        """Count a socket while it is open.

        Raises:
            TooManySockets: the user has too many already.
        """
        if self._open[user_id] >= self._per_user:
            raise TooManySockets(
                f"you have {self._per_user} streams open",
                fix="close a tab or a program; one stream can follow many clusters",
                retry_after=5,
            )
        self._open[user_id] += 1
        try:
            yield
        finally:
            self._open[user_id] -= 1
            if not self._open[user_id]:
                del self._open[user_id]
