"""How many streams each user has open in this process, and how one is hung up."""

from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import anyio

from server.errors import LabError

HANG_UP: Final = "pyk8s.hang_up"
"""The extension of the ASGI scope under which the connection can be ended at once."""


class TooManySockets(LabError):
    """The user has as many streams open as one may have."""

    code = "too_many_sockets"
    status = 429
    title = "Too many open streams"


class SocketCount:
    """Admits streams up to a number for each user: WebSockets, SSE and followed logs alike."""

    def __init__(self, per_user: int) -> None:
        self._per_user = per_user
        self._open: Counter[UUID] = Counter()
        self._emptied = anyio.Event()

    @contextmanager
    def admit(self, user_id: UUID) -> Iterator[None]:
        """Count a stream while it is open.

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
            if not self._open:
                self._emptied.set()
                self._emptied = anyio.Event()

    async def emptied(self) -> None:
        """Wait until nobody has a stream open."""
        while self._open:
            await self._emptied.wait()


def hang_up(scope: MutableMapping[str, Any]) -> None:
    """End a connection without waiting for what its peer does not take.

    A close in good order waits until everything sent before has been taken, which a peer that
    reads a byte now and then can drag out for hours.
    """
    end = scope.get("extensions", {}).get(HANG_UP)
    if end is not None:
        end()
