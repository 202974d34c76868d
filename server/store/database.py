"""The engine and the two kinds of session: one that reads, one that also writes."""

import asyncio
import copy
import random
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NewType, cast
from urllib.parse import urlsplit

import asyncpg
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    InvalidatePoolError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from server.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseRestarting,
    LabError,
    StartFailed,
    Unavailable,
    Unstorable,
)
from server.store.connecting import create_engine, mistrust
from server.store.gate import Gate, Lane, LineFull, LineStopped

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", ReadSession)

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 5.0
PING_AFTER_SECONDS = 1.0
"""A connection that has answered within this time is not asked for a sign of life before use."""
ACQUIRE_SECONDS = 5.0
"""Until a connection has shown that it is alive, a new one included: after that it is a 503."""
PATIENCE_SECONDS = 20.0
"""So long a request waits for one connection while others get theirs: after that it is a 503. A
request asks for three or four, and many clients give up after a minute."""
MOST_WAITING = 500
SERVER_SETTINGS = {
    "statement_timeout": "15000",
    "lock_timeout": "4500",
    "idle_in_transaction_session_timeout": "30000",
    "timezone": "UTC",
}

APPLICATION_NAME = "pyk8s-lab"
"""What pg_stat_activity calls a server: a restore refuses while one is connected."""

_ANSWERED_AT = "pyk8s.answered_at"

_OF_VALUE = "22"
# Classes of SQLSTATE that mean "not now": connection, resources, operator, system, configuration.
_TRANSIENT = ("08", "53", "57", "58", "F0", "55P03")
_DISK_FULL = "53100"
_TOO_MANY_CONNECTIONS = "53300"

AWAY_SECONDS = (1.0, 3.0)
BUSY_SECONDS = (1.0, 5.0)
FULL_SECONDS = (10.0, 30.0)
"""Between these `Retry-After` is drawn, so that those who were refused together do not come back
together."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Why PostgreSQL does not answer, as whoever looks after it knows. `reason`: for operators."""

    detail: str
    reason: str | None = None
    fix: str | None = None
    retry_after: float | None = None


@dataclass(slots=True)
class Signs:
    """When (monotonic) PostgreSQL last refused for a reason that an operator should know."""

    full_at: float = float("-inf")
    busy_at: float = float("-inf")


def _no_outage() -> Outage | None:
    return None


def plain_url(url: str) -> str:
    """Write a PostgreSQL address without the name of a driver."""
    _, _, rest = url.partition("://")
    return f"postgresql://{rest}"


class Database:
    """Gives sessions. A transaction is the block it is used in: commit at its end, or nothing."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        application_name: str = APPLICATION_NAME,
        most_waiting: int = MOST_WAITING,
        outage: Callable[[], Outage | None] = _no_outage,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.url = plain_url(url)
        self.outage = outage
        """Returns why PostgreSQL is away, where this process looks after it."""
        self._uniform = uniform
        self.signs = Signs()
        self._lane = Lane.SERVER
        self._share: Hashable = None
        self._gate = Gate(
            pool_size,
            most_waiting=most_waiting,
            patience_seconds=PATIENCE_SECONDS,
            stopped_seconds=ACQUIRE_SECONDS,
            is_out=lambda: outage() is not None,
        )
        self._engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=ACQUIRE_SECONDS,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": COMMAND_SECONDS,
                "server_settings": {**SERVER_SETTINGS, "application_name": application_name},
            },
        )
        event.listen(self._engine.sync_engine.pool, "checkout", _see_that_it_lives)
        event.listen(self._engine.sync_engine.pool, "checkin", _note_that_it_lives)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        # Each statement for itself: a read takes one round trip instead of three.
        self._reads = async_sessionmaker(
            self._engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False
        )

    def for_people(self, share: Hashable = None) -> "Database":
        """Return the same database as requests use it: they wait behind the server's own loops.

        `share`: the user whose requests they are, or the cluster that they are for. Shares take
        turns.
        """
        return self._view(Lane.PEOPLE, share)

    def for_strangers(self, share: Hashable) -> "Database":
        """Return the same database for lookups of what anybody can make up. `share`: of whom."""
        return self._view(Lane.STRANGERS, share)

    def _view(self, lane: Lane, share: Hashable) -> "Database":
        view = copy.copy(self)
        view._lane, view._share = lane, share
        return view

    @property
    def line(self) -> Gate:
        """The line in front of the connections."""
        return self._gate

    @property
    def place(self) -> str:
        """Where the database is, for messages: never with its password."""
        parts = urlsplit(self.url)
        return parts.hostname or "a local socket"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteSession]:
        """Open a session that commits when the block ends well and rolls back otherwise.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        async with self._answering(), self._sessions() as session, session.begin():
            await self._connect(session)
            yield cast("WriteSession", session)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ReadSession]:
        """Open a session for reading. Each statement sees what is committed when it begins.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        async with self._answering(), self._reads() as session:
            await self._connect(session)
            yield cast("ReadSession", session)

    async def _connect(self, session: AsyncSession) -> None:
        """Wait for a place in the pool, a sign of life, perhaps a new connection; not for long.

        A connection into a black hole would else hold whoever asks for many times as long.
        """
        async with asyncio.timeout(ACQUIRE_SECONDS):
            await session.connection()

    @asynccontextmanager
    async def writing_lines(self) -> AsyncIterator[asyncpg.Connection]:
        """Open a transaction on asyncpg itself, for what is written many times a second.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        async with self._answering(), self._engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            try:
                async with raw.transaction():
                    yield raw
            except LabError:
                raise
            except BaseException:
                # The pool knows nothing of this transaction. Who is cancelled twice is cancelled
                # in the rollback as well, and would give back a connection that holds locks.
                raw.terminate()
                raise

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            await self._gate.enter(self._lane, self._share)
        except LineFull as error:
            if self._lane is Lane.STRANGERS:  # no sign of what the database can do
                raise self._busy() from error
            raise self._refusal(_TOO_MANY_CONNECTIONS) from error
        except LineStopped as error:
            raise self._refusal() from error
        well = False
        try:
            async with self._translating():
                yield
            well = True
        except Unavailable:
            raise
        except Exception:
            well = True  # a refusal of ours: the database answered
            raise
        finally:
            self._gate.leave(well=well)

    @asynccontextmanager
    async def _translating(self) -> AsyncIterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise self._refusal(_TOO_MANY_CONNECTIONS) from error
        # InternalClientError: what asyncpg says of a rollback on a connection that has just died.
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            if _is_refused_value(error):
                raise _unstorable(error) from error
            raise self._refusal() from error
        except asyncpg.PostgresError as error:
            if _is_of_value(error):
                raise _unstorable(error) from error
            if str(error.sqlstate).startswith(_TRANSIENT):
                raise self._refusal(str(error.sqlstate)) from error
            raise
        except DBAPIError as error:
            if _is_of_value(error.orig) or _is_refused_value(_cause_of(error)):
                raise _unstorable(error.orig) from error
            if is_transient(error):
                raise self._refusal(str(getattr(error.orig, "sqlstate", None))) from error
            raise

    def _refusal(self, state: str = "") -> Unavailable:
        """Say what is wrong, by the SQLSTATE of the error if PostgreSQL told one."""
        if state == _DISK_FULL:
            self.signs.full_at = time.monotonic()
            return DatabaseFull(
                f"the disk of PostgreSQL on {self.place} is full: what is there can be read, "
                "nothing can be changed",
                fix="nothing is lost: try again when the operator has freed space",
                retry_after=self._uniform(*FULL_SECONDS),
            )
        if state == _TOO_MANY_CONNECTIONS:
            self.signs.busy_at = time.monotonic()
            return self._busy()
        if (outage := self.outage()) is not None:
            return DatabaseRestarting(
                outage.detail,
                fix=outage.fix or "nothing is lost: try again in a moment",
                retry_after=outage.retry_after or self._uniform(*AWAY_SECONDS),
            )
        return Unavailable(
            f"PostgreSQL on {self.place} does not answer",
            fix="nothing is lost: try again in a moment; if it stays so, see whether PostgreSQL "
            "runs (docs/howto/troubleshoot.md)",
            retry_after=self._uniform(*AWAY_SECONDS),
        )

    def _busy(self) -> DatabaseBusy:
        return DatabaseBusy(
            "more is asked of the database than it answers in time",
            fix="nothing was changed: try again in a moment",
            retry_after=self._uniform(*BUSY_SECONDS),
        )

    async def ping(self) -> None:
        """Ask PostgreSQL for a sign of life.

        Raises:
            Unavailable: there is none.
            StartFailed: it answers, but the name, the password, the database or its TLS is wrong.
        """
        try:
            async with self.reading() as session:
                await session.execute(text("SELECT 1"))
        except Unavailable as error:
            if (why := mistrust(error)) is None:
                raise
            raise StartFailed(
                f"PostgreSQL on {self.place} is not trusted: {why}",
                fix="sslrootcert in PYK8S_DATABASE_URL has to name the authority of its "
                "certificate, and the certificate has to name that host",
            ) from error
        except (DBAPIError, asyncpg.PostgresError) as error:
            cause = getattr(error, "orig", None) or error
            raise StartFailed(
                f"PostgreSQL on {self.place} refuses the server: {cause}",
                fix="correct PYK8S_DATABASE_URL, or make that database and its user",
            ) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _see_that_it_lives(adapted: Any, record: ConnectionPoolEntry, _: object) -> None:
    """Replace a connection that has died. SQLAlchemy's own way asks each time, in three trips."""
    if adapted.driver_connection.is_closed():
        raise DisconnectionError
    if time.monotonic() - record.info.get(_ANSWERED_AT, 0.0) > PING_AFTER_SECONDS:
        try:
            adapted.run_async(lambda connection: connection.fetchrow(";"))
        except (
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            raise InvalidatePoolError from error


def _note_that_it_lives(_: object, record: ConnectionPoolEntry) -> None:
    record.info[_ANSWERED_AT] = time.monotonic()


def _is_of_value(error: BaseException | None) -> bool:
    """Tell whether a statement failed for a value: of PostgreSQL, or of asyncpg before it sent it.

    Class 22 of SQLSTATE is "data exception": a NUL in a text, a number or an instant out of range.
    """
    return str(getattr(error, "sqlstate", None)).startswith(_OF_VALUE)


def _unstorable(error: BaseException | None) -> Unstorable:
    state = getattr(error, "sqlstate", None)
    told = f" (SQLSTATE {state})" if state else ""
    return Unstorable(
        f"PostgreSQL cannot hold a value of the request{told}",
        fix="leave out control characters, and numbers or dates that are out of all bounds",
    )


def _cause_of(error: DBAPIError) -> BaseException | None:
    """Return asyncpg's own error, which SQLAlchemy wraps twice."""
    return getattr(error.orig, "__cause__", None)


def _is_refused_value(error: BaseException | None) -> bool:
    """Whether asyncpg refused to send a value: PostgreSQL was not even asked.

    asyncpg tells it as an `InterfaceError` that is a `ValueError` as well.
    """
    return isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)


def is_transient(error: DBAPIError) -> bool:
    """Tell whether the same statement may well succeed a little later."""
    if _is_refused_value(_cause_of(error)):
        return False
    if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
        return True
    state = getattr(error.orig, "sqlstate", None) or ""
    return str(state).startswith(_TRANSIENT)


async def now(session: ReadSession) -> datetime:
    """Give the time by the database's clock, which is the one that leases are counted by."""
    at: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return at


async def raw_connection(session: WriteSession) -> asyncpg.Connection:
    """Give asyncpg's own connection of a session, inside the session's transaction.

    Used for COPY. The session must have executed a statement before: that begins the transaction.
    """
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    return raw.driver_connection
