"""Which credentials open which cluster now, and what is open under each of them.

A credential is looked up in the database once in a second at most: a program that asks a hundred
times in that second waits for one look. A revocation is hinted, so it does not wait for that.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import anyio

from server.errors import LabError
from server.proxy.refusals import Refusal, unauthorized, unavailable
from server.secrets import hash_secret
from server.store import credentials
from server.store.credentials import Grant
from server.store.database import Database
from server.telemetry import get_logger

BELIEVED_SECONDS: Final = 1.0
"""So long a look at the database counts. A revocation whose hint is lost works after it."""

LOOK_SECONDS: Final = 1.0
RECHECK_SECONDS: Final = 30.0
MOST_KNOWN: Final = 10_000
MOST_OPEN: Final = 500
"""Requests that one user may have open at once; k9s and informers keep about 50."""

log = get_logger(__name__)


class Open:
    """A request that is being answered. What it does is done in its `scope`."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self.scope = anyio.CancelScope()
        self.has_ended = False
        """Whether it was ended from here: the credential is not valid any more."""

    def end(self) -> None:
        """Stop what is done in the scope."""
        self.has_ended = True
        self.scope.cancel()


class Grants:
    """Finds what a secret allows, and ends what goes on when it allows nothing any more."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[float, Grant]] = OrderedDict()
        self._open: set[Open] = set()
        self._count: Counter[UUID] = Counter()
        self._used: set[UUID] = set()
        self._doubt = anyio.Event()
        self._is_stopping = False

    async def find(self, secret: str | None) -> Grant:
        """Give what a secret allows.

        Raises:
            Refusal: nothing, or PostgreSQL cannot be asked.
        """
        if not secret:
            raise unauthorized("no credential was sent: take a kubeconfig of this server")
        hashed = hash_secret(secret)
        found = self._known.get(hashed)
        now = self._monotonic()
        if found is not None and found[0] > now:
            return found[1]
        try:
            async with self._database.reading() as session:
                grant = await credentials.by_secret(session, hashed)
        except LabError as error:
            raise unavailable("the server's database does not answer; try again") from error
        self._known.pop(hashed, None)
        if grant is None:
            raise unauthorized(
                "the credential has expired or was revoked: take a new kubeconfig of this server"
            )
        self._known[hashed] = (now + BELIEVED_SECONDS, grant)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        self._used.add(grant.credential_id)
        return grant

    @contextmanager
    def opened(self, grant: Grant) -> Iterator[Open]:
        """Keep an eye on a request while it is answered.

        Raises:
            Refusal: the user has too many open.
        """
        if self._count[grant.user_id] >= MOST_OPEN:
            raise Refusal(429, "TooManyRequests", f"you have {MOST_OPEN} requests open")
        request = Open(grant)
        self._open.add(request)
        self._count[grant.user_id] += 1
        if self._is_stopping:
            request.end()
        try:
            yield request
        finally:
            self._open.discard(request)
            self._count[grant.user_id] -= 1
            if not self._count[grant.user_id]:
                del self._count[grant.user_id]

    def on_revoked(self, ended: UUID) -> None:
        """Take a hint: a credential has ended, or all of a cluster."""
        for hashed, (_, grant) in [*self._known.items()]:
            if ended in {grant.credential_id, grant.cluster_id}:
                del self._known[hashed]
        for request in tuple(self._open):
            if ended in {request.grant.credential_id, request.grant.cluster_id}:
                request.end()

    def on_may_have_missed(self) -> None:
        """Look everything up again: hints may have been lost."""
        self._known.clear()
        self._doubt.set()

    def stop(self) -> None:
        """End all: the server stops."""
        self._is_stopping = True
        for request in tuple(self._open):
            request.end()

    async def watch(self, *, clock: Callable[[], datetime]) -> None:
        """Look after all that is open until cancelled. `clock` tells this machine's time."""
        checked_at = self._monotonic()
        while True:
            with anyio.move_on_after(LOOK_SECONDS):
                await self._doubt.wait()
            is_doubted = self._doubt.is_set()
            self._doubt = anyio.Event()
            for request in tuple(self._open):
                if request.grant.expires_at <= clock():
                    request.end()
            try:
                await self._note_use()
                if is_doubted or self._monotonic() - checked_at >= RECHECK_SECONDS:
                    await self._check()
                    checked_at = self._monotonic()
            except (LabError, TimeoutError) as error:  # told by readyz; looked up at the next turn
                log.warning("credentials_not_checked", reason=type(error).__name__)
                if is_doubted:
                    self._doubt.set()
                    await anyio.sleep(LOOK_SECONDS)

    async def _note_use(self) -> None:
        if self._used:
            used, self._used = self._used, set()
            async with self._database.transaction() as session:
                await credentials.touch(session, used)

    async def _check(self) -> None:
        asked = tuple(self._open)
        if asked:
            async with self._database.reading() as session:
                ids = {request.grant.credential_id for request in asked}
                valid = await credentials.valid_among(session, ids)
            for request in asked:
                if request.grant.credential_id not in valid:
                    request.end()
