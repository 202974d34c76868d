"""All terminals of this process: who may have how many, and when one has to end."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

import anyio
import anyio.abc
import uuid_utils.compat as uuids

from server.drivers.base import DriverError, ShellWish
from server.errors import (
    LabError,
    NoSuchTerminal,
    ShellFailed,
    TooManyTerminals,
)
from server.kube.own_host import Nodes, OwnHost
from server.kube.use import Use
from server.kube.waking import Waker
from server.store import access, accounts
from server.store.database import Database
from server.telemetry import get_logger
from server.terminals.pace import Pace
from server.terminals.session import Owner, Session

LOOK_SECONDS: Final = 1.0
ALONE_SECONDS: Final = 120.0
"""A terminal lives so long without a client."""

KEPT_SECONDS: Final = 60.0
"""One that has ended is remembered so long, for a client that has to hear how."""

KEPT_ENDED: Final = 4
"""At most so many ended ones of a user are."""

START_SECONDS: Final = 20.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many terminals there may be at once."""

    per_user: int
    per_cluster: int
    in_all: int


class Terminals:
    """Opens terminals, finds them again, and ends those whose time has come."""

    def __init__(
        self,
        database: Database,
        limits: Limits,
        own_host: OwnHost,
        waker: Waker,
        use: Use,
        *,
        bytes_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` is monotonic seconds, `now` this machine's time.

        `bytes_per_second`: how fast the output of one user's terminals is read.
        """
        self._database = database
        self._limits = limits
        self._own_host = own_host
        self._waker = waker
        self._use = use
        self._pace = Pace(bytes_per_second, clock)
        self._clock = clock
        self._now = now
        self._sessions: dict[UUID, Session] = {}
        self._starting: list[Owner] = []
        self._ended: dict[UUID, tuple[Session, float]] = {}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._doubt = anyio.Event()

    def on_revoked(self, _: UUID) -> None:
        """Take a hint: a session or token has ended."""
        self._doubt.set()

    async def run(self) -> None:
        """Keep terminals alive until cancelled, and end those whose time has come."""
        async with anyio.create_task_group() as self._tasks:
            while True:
                with anyio.move_on_after(LOOK_SECONDS):
                    await self._doubt.wait()
                self._doubt = anyio.Event()
                await self.look()

    async def look(self) -> None:
        """End the terminals whose client, credential or cluster has gone. Forget old ended ones."""
        time_now = self._clock()
        for session in self._sessions.values():
            alone = session.left_alone_at
            if alone is not None and time_now - alone >= ALONE_SECONDS:
                session.end("abandoned")
        for session_id, (_, ended_at) in tuple(self._ended.items()):
            if time_now - ended_at >= KEPT_SECONDS:
                del self._ended[session_id]
        living = [each for each in self._sessions.values() if each.ending is None]
        if not living:
            return
        try:
            async with self._database.reading() as reading:
                valid = await accounts.valid_among(
                    reading, {session.owner.credential_id for session in living}
                )
                usable = await access.usable_among(
                    reading, {session.owner.cluster_id for session in living}
                )
        except (LabError, TimeoutError):  # PostgreSQL is away: nothing is told meanwhile
            return
        for session in living:
            if session.owner.credential_id not in valid:
                session.end("signed_out")
            elif session.owner.cluster_id not in usable:
                session.end("cluster_gone")

    async def serves(self, cluster_id: UUID) -> Nodes:
        """Make sure that a cluster's terminals are here. Raises as `OwnHost.nodes_of`."""
        return await self._own_host.nodes_of(cluster_id)

    async def open(self, owner: Owner, wish: ShellWish) -> Session:
        """Start a shell.

        Raises:
            NotReady, ServedElsewhere: as `serves`; or it was paused, and does not wake up.
            TooManyTerminals: the user or the cluster has as many as there may be.
            ShellFailed: the driver cannot start it.
        """
        nodes = await self.serves(owner.cluster_id)
        await self._waker.awake(owner.cluster_id)
        if self._tasks is None:
            raise RuntimeError("terminals are opened before `run` runs")
        session: Session = await self._tasks.start(self._live, nodes, owner, wish)
        log.info(
            "terminal_opened",
            terminal=str(session.id),
            cluster=str(owner.cluster_id),
            user=wish.username,
            pod=session.describe().pod,
        )
        return session

    async def _live(
        self,
        nodes: Nodes,
        owner: Owner,
        wish: ShellWish,
        *,
        task_status: anyio.abc.TaskStatus[Session],
    ) -> None:
        with self._room_for(owner):
            try:
                with anyio.fail_after(START_SECONDS):
                    shell = await nodes.driver.shell(nodes.attempt_id, wish)
            except DriverError as error:
                why = error.explanation
                raise ShellFailed(
                    f"{why.title}: {why.cause}", fix=why.fix, retry_after=5
                ) from error
            except TimeoutError as error:
                raise ShellFailed(
                    f"no shell came up in {START_SECONDS:g} s",
                    fix="see whether the cluster's node is busy, and try again",
                    retry_after=5,
                ) from error
            session = Session(
                uuids.uuid7(),
                owner,
                shell,
                title=wish.pod.name if wish.pod else wish.cluster_name,
                pod=wish.pod,
                typed=self._use.typing_into(owner.cluster_id),
                charge=partial(self._pace.charge, owner.user_id),
                clock=self._clock,
                now=self._now,
            )
            self._sessions[session.id] = session
        task_status.started(session)
        try:
            await session.run()
        except Exception as error:  # one terminal that breaks must not take the server with it
            log.error("terminal_broke", terminal=str(session.id), exc_info=error)
        finally:
            del self._sessions[session.id]
            self._remember(session)
            log.info(
                "terminal_ended",
                terminal=str(session.id),
                cluster=str(owner.cluster_id),
                reason=session.ending.reason if session.ending else None,
            )

    @contextmanager
    def _room_for(self, owner: Owner) -> Iterator[None]:
        """Count a terminal that is about to be.

        Raises:
            TooManyTerminals: there is no room for it.
        """
        owners = [each.owner for each in self._sessions.values()] + self._starting
        of_user = sum(each.user_id == owner.user_id for each in owners)
        of_cluster = sum(each.cluster_id == owner.cluster_id for each in owners)
        if of_user >= self._limits.per_user:
            raise _too_many(f"you have {of_user} terminals open")
        if of_cluster >= self._limits.per_cluster:
            raise _too_many(f"the cluster has {of_cluster} terminals open")
        if len(owners) >= self._limits.in_all:
            raise TooManyTerminals(
                f"this server has {len(owners)} terminals open, and may have no more",
                fix="try again later, or let the operator raise PYK8S_MAX_TERMINALS",
                retry_after=30,
            )
        self._starting.append(owner)
        try:
            yield
        finally:
            self._starting.remove(owner)

    def _remember(self, session: Session) -> None:
        self._ended[session.id] = (session, self._clock())
        mine = [
            each.id
            for each, _ in self._ended.values()
            if each.owner.user_id == session.owner.user_id
        ]
        for session_id in mine[:-KEPT_ENDED]:
            del self._ended[session_id]

    def of(self, user_id: UUID, cluster_id: UUID) -> Sequence[Session]:
        """Give a user's living terminals of a cluster, the oldest first."""
        return [
            each
            for each in self._sessions.values()
            if each.ending is None
            and (each.owner.user_id, each.owner.cluster_id) == (user_id, cluster_id)
        ]

    def find(self, user_id: UUID, cluster_id: UUID, session_id: UUID) -> Session:
        """Give a terminal, also one that has just ended.

        Raises:
            NoSuchTerminal: it is not there, or somebody else's.
        """
        ended, _ = self._ended.get(session_id, (None, 0.0))
        session = self._sessions.get(session_id) or ended
        if session is None or (session.owner.user_id, session.owner.cluster_id) != (
            user_id,
            cluster_id,
        ):
            raise NoSuchTerminal(
                "the terminal has ended, or the server was restarted",
                fix="open another one",
            )
        return session


def _too_many(detail: str) -> TooManyTerminals:
    return TooManyTerminals(
        detail, fix="close one: leave its shell with `exit`, or close its tab", retry_after=5
    )
