"""All streams that are open in this process: how many a user has, and when one must end.

One task looks after all of them. A stream that waits costs no timer, no task and no query of its
own: ten thousand of them are asked for with one.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Self
from uuid import UUID

import anyio

from server.api.protocol import Closed
from server.errors import LabError
from server.errors.limits import RateLimit
from server.store import accounts
from server.store.accounts import Principal
from server.store.database import Database

SEND_SECONDS: Final = 15.0
"""Who does not take a frame or a piece of an answer for so long is too slow."""

RETRY_SECONDS: Final = 5.0
"""After so long somebody with too many streams may try again: one may have been closed."""

LOOK_SECONDS: Final = 1.0
RECHECK_SECONDS: Final = 30.0
"""A hint can be lost: so every credential is looked up this often anyway."""


class TooManySockets(LabError):
    """The user has as many streams open as one may have."""

    code = "too_many_sockets"
    status = 429
    title = "Too many open streams"


class Stream:
    """One that is open: a WebSocket, SSE or a followed log. What it does is done in its `scope`."""

    __slots__ = ("_on_closed", "_sends", "_since", "ended", "principal", "scope")

    def __init__(self, principal: Principal, on_closed: Callable[["Stream"], None]) -> None:
        self.principal = principal
        self.scope = anyio.CancelScope()
        self.ended: Closed | None = None
        """Why it has to end, if it has to."""
        self._on_closed = on_closed
        self._sends = 0
        self._since = 0.0

    def __enter__(self) -> Self:
        """Be open during a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Be closed, and count no more."""
        self._on_closed(self)

    async def send(self, sending: Awaitable[None]) -> None:
        """Send, noting that somebody waits."""
        if not self._sends:
            self._since = time.monotonic()
        self._sends += 1
        try:
            await sending
        finally:
            self._sends -= 1
            self._since = time.monotonic()

    def is_stuck(self, now: float) -> bool:
        """Tell whether nothing was taken for too long. `now` is seconds of `time.monotonic`."""
        return self._sends > 0 and now - self._since > SEND_SECONDS

    def end(self, why: Closed) -> None:
        """Stop what is done in the scope. The first reason is the one that is told."""
        if self.ended is None:
            self.ended = why
            self.scope.cancel()


class Streams:
    """Admits streams up to a number for each user, and ends those whose time has come."""

    def __init__(self, per_user: int) -> None:
        self._per_user = per_user
        self._count: Counter[UUID] = Counter()
        self._open: set[Stream] = set()
        self._emptied = anyio.Event()
        self._revoked: set[UUID] = set()
        self._doubt = anyio.Event()
        self._is_stopping = False

    @property
    def open_count(self) -> int:
        """How many are open now, of all users."""
        return len(self._open)

    def admit(self, principal: Principal) -> Stream:
        """Count a stream until the block that it is used in ends.

        Raises:
            TooManySockets: the user has too many already.
        """
        user_id = principal.user.id
        if self._count[user_id] >= self._per_user:
            raise TooManySockets(
                f"you have {self._per_user} streams open",
                fix="close a tab or a program; one stream can follow many clusters",
                retry_after=RETRY_SECONDS,
                limit=self.limit(principal),
            )
        stream = Stream(principal, self._close)
        self._count[user_id] += 1
        self._open.add(stream)
        if self._is_stopping:
            stream.end(_restart())
        return stream

    def limit(self, principal: Principal) -> RateLimit:
        """Return how many streams more a user may open."""
        left = self._per_user - self._count[principal.user.id]
        reset = None if left > 0 else RETRY_SECONDS
        return RateLimit("streams", self._per_user, left, reset, unit="concurrent-requests")

    def _close(self, stream: Stream) -> None:
        user_id = stream.principal.user.id
        self._open.discard(stream)
        self._count[user_id] -= 1
        if not self._count[user_id]:
            del self._count[user_id]
        if not self._open:
            self._emptied.set()
            self._emptied = anyio.Event()

    async def emptied(self) -> None:
        """Wait until nobody has a stream open."""
        while self._open:
            await self._emptied.wait()

    def stop(self) -> None:
        """End all: the server stops."""
        self._is_stopping = True
        for stream in tuple(self._open):
            stream.end(_restart())

    def on_revoked(self, credential_id: UUID) -> None:
        """Take a hint: a session or token has ended."""
        self._revoked.add(credential_id)
        self._doubt.set()

    async def watch(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        """Look after all streams until cancelled. `clock` tells this machine's time."""
        checked_at = time.monotonic()
        while True:
            with anyio.move_on_after(LOOK_SECONDS):
                await self._doubt.wait()
            self._doubt = anyio.Event()
            now = time.monotonic()
            for stream in tuple(self._open):
                if stream.is_stuck(now):
                    stream.end(Closed("slow", f"nothing was taken in {SEND_SECONDS:g} s"))
            is_time = now - checked_at >= RECHECK_SECONDS
            doubted = self._doubted(clock(), everybody=is_time)
            if doubted:
                try:
                    await self._check(database, doubted)
                except (LabError, TimeoutError):  # PostgreSQL is away: nothing is told meanwhile
                    continue
            self._revoked.clear()
            checked_at = now if is_time else checked_at

    def _doubted(self, now: datetime, *, everybody: bool) -> list[Stream]:
        """Name the streams whose credential may have ended: it was hinted, or it was to expire."""
        return [
            stream
            for stream in self._open
            if everybody
            or stream.principal.credential_id in self._revoked
            or (stream.principal.expires_at is not None and stream.principal.expires_at <= now)
        ]

    async def _check(self, database: Database, streams: list[Stream]) -> None:
        ids = {stream.principal.credential_id for stream in streams}
        async with database.reading() as session:
            valid = await accounts.valid_among(session, ids)
        for stream in streams:
            if stream.principal.credential_id not in valid:
                stream.end(Closed("unauthenticated", "the session or token has ended"))


def _restart() -> Closed:
    return Closed("restart", "the server restarts")
