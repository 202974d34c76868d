"""Which credentials open which cluster now, and what is open under each of them.

A credential is looked up in the database once in a second at most: a program that asks a hundred
times in that second waits for one look. A revocation is hinted, so it does not wait for that.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import anyio

from server.commands.passwords import share_of_address
from server.errors import LabError
from server.proxy.openings import Open, Openings
from server.proxy.refusals import unauthorized, unavailable
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

ENDED: Final = "the credential has expired or was revoked: take a new kubeconfig of this server"

log = get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Look:
    """A look at the database that is under way. It ends when nobody waits for it any more."""

    task: asyncio.Task[Grant]
    waiting: int = 0


class Grants:
    """Finds what a secret allows, and ends what goes on when it allows nothing any more."""

    def __init__(self, database: Database, *, monotonic: Callable[[], float]) -> None:
        self._database = database
        self._monotonic = monotonic
        self._known: OrderedDict[bytes, tuple[float, Grant]] = OrderedDict()
        self._ended: OrderedDict[UUID, None] = OrderedDict()
        """What hints have told lately."""
        self._openings = Openings()
        self._looks: dict[bytes, _Look] = {}
        """Looks at the database under way, for all who ask meanwhile. Hints make them forgotten."""
        self._used: set[UUID] = set()
        self._doubt = anyio.Event()

    async def find(self, secret: str, peer: str) -> Grant:
        """Give what a secret allows. `peer`: the address that it came from.

        Raises:
            Refusal: nothing, or PostgreSQL cannot be asked.
        """
        hashed = hash_secret(secret)
        found = self._known.get(hashed)
        if found is not None and found[0] > self._monotonic():
            return self._still_good(found[1])
        look = self._looks.get(hashed)
        if look is None:
            owner = found[1].user_id if found is not None else None
            look = _Look(asyncio.create_task(self._look(hashed, owner, peer)))
            self._looks[hashed] = look
        look.waiting += 1
        try:
            return self._still_good(await asyncio.shield(look.task))
        finally:
            look.waiting -= 1
            if not look.waiting:
                look.task.cancel()  # without effect when it is done
                if self._looks.get(hashed) is look:
                    del self._looks[hashed]

    async def _look(self, hashed: bytes, owner: UUID | None, peer: str) -> Grant:
        """Ask the database. `owner`: whose secret it was a moment ago. Raises as `find`."""
        if owner is not None:
            database = self._database.for_people(owner)
        else:
            database = self._database.for_strangers(share_of_address("secret", peer).path)
        asked_at = self._monotonic()
        try:
            async with database.reading() as session:
                grant = await credentials.by_secret(session, hashed)
        except LabError as error:
            raise unavailable(f"{error.detail}; try again") from error
        self._known.pop(hashed, None)
        if grant is None:
            raise unauthorized(ENDED)
        self._still_good(grant)
        look = self._looks.get(hashed)
        if look is not None and look.task is asyncio.current_task():  # else a hint came meanwhile
            self._known[hashed] = (asked_at + BELIEVED_SECONDS, grant)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        self._used.add(grant.credential_id)
        return grant

    def opened(self, grant: Grant) -> AbstractContextManager[Open]:
        """Keep an eye on a request while it is answered. Raises as `Openings.opened`."""
        rights = frozenset({grant.credential_id, grant.cluster_id})
        self._still_good(grant)
        return self._openings.opened(grant.user_id, rights, grant.expires_at)

    def _still_good(self, grant: Grant) -> Grant:
        """See that no hint has come since the database was asked: neither comes to life again.

        Raises:
            Refusal: one has.
        """
        if grant.credential_id in self._ended or grant.cluster_id in self._ended:
            raise unauthorized(ENDED)
        return grant

    def on_revoked(self, ended: UUID) -> None:
        """Take a hint: a credential has ended, or all of a cluster."""
        self._ended[ended] = None
        if len(self._ended) > MOST_KNOWN:
            self._ended.popitem(last=False)
        for hashed, (_, grant) in [*self._known.items()]:
            if ended in {grant.credential_id, grant.cluster_id}:
                del self._known[hashed]
        self._looks.clear()
        self._openings.end_with({ended})

    def on_moved(self, cluster_id: UUID) -> None:
        """Take a hint: a cluster may be in another phase than when it was looked up."""
        for hashed, (_, grant) in [*self._known.items()]:
            if grant.cluster_id == cluster_id:
                del self._known[hashed]
        self._looks.clear()

    def on_may_have_missed(self) -> None:
        """Look everything up again: hints may have been lost."""
        self._known.clear()
        self._looks.clear()
        self._doubt.set()

    def stop(self) -> None:
        """End all: the server stops."""
        self._openings.stop()

    async def watch(self, *, clock: Callable[[], datetime]) -> None:
        """Look after all that is open until cancelled. `clock` tells this machine's time."""
        checked_at = self._monotonic()
        while True:
            with anyio.move_on_after(LOOK_SECONDS):
                await self._doubt.wait()
            is_doubted = self._doubt.is_set()
            self._doubt = anyio.Event()
            self._openings.end_expired(clock())
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
        asked = self._openings.rights()
        if asked:
            async with self._database.reading() as session:
                self._openings.end_with(await credentials.ended_among(session, asked))
