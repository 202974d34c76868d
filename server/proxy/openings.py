"""What is open at a listener now, and what has to end when a right to it ends."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import anyio

from server.proxy.refusals import Refusal

MOST_OPEN: Final = 500
"""Requests that one user may have open at once; k9s and informers keep about 50."""


class Open:
    """A request that is being answered. What it does is done in its `scope`."""

    def __init__(self, rights: frozenset[UUID], expires_at: datetime) -> None:
        self.rights = rights
        """It ends when one of these does: a credential, a cluster, a published app."""
        self.expires_at = expires_at
        self.scope = anyio.CancelScope()
        self.has_ended = False
        """Whether it was ended from here: what it rests on is not valid any more."""

    def end(self) -> None:
        """Stop what is done in the scope."""
        self.has_ended = True
        self.scope.cancel()


class Openings:
    """Keeps an eye on open requests. Nothing here waits."""

    def __init__(self) -> None:
        self._open: set[Open] = set()
        self._count: Counter[UUID] = Counter()
        self._is_stopping = False

    @contextmanager
    def opened(
        self, user_id: UUID, rights: frozenset[UUID], expires_at: datetime
    ) -> Iterator[Open]:
        """Keep an eye on a request while it is answered.

        Raises:
            Refusal: the user has too many.
        """
        if self._count[user_id] >= MOST_OPEN:
            raise Refusal(429, "TooManyRequests", f"you have {MOST_OPEN} requests open")
        request = Open(rights, expires_at)
        self._open.add(request)
        self._count[user_id] += 1
        if self._is_stopping:
            request.end()
        try:
            yield request
        finally:
            self._open.discard(request)
            self._count[user_id] -= 1
            if not self._count[user_id]:
                del self._count[user_id]

    def rights(self) -> set[UUID]:
        """Give all that open requests rest on."""
        return {right for request in self._open for right in request.rights}

    def end_with(self, ended: set[UUID]) -> None:
        """End what rests on one of these."""
        for request in tuple(self._open):
            if request.rights & ended:
                request.end()

    def end_expired(self, now: datetime) -> None:
        """End that whose time is over."""
        for request in tuple(self._open):
            if request.expires_at <= now:
                request.end()

    def stop(self) -> None:
        """End all: the server stops."""
        self._is_stopping = True
        for request in tuple(self._open):
            request.end()
