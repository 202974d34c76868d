"""Hints: NOTIFY tells that there is something to read, never what.

One connection listens. It dies silently when PostgreSQL does, so a termination listener and a
heartbeat watch it; after every new connection the receivers are told that they may have missed
something, and while there is none they are told so every second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import anyio
import asyncpg
from sqlalchemy import ARRAY, Text, cast, func, select

from server.store.connecting import connect
from server.store.database import WriteSession
from server.telemetry import get_logger

EVENTS_CHANNEL: Final = "pyk8s_events"
JOBS_CHANNEL: Final = "pyk8s_jobs"
REVOKED_CHANNEL: Final = "pyk8s_revoked"

HEARTBEAT_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 1.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventHint:
    """A cluster has events up to `seq`. `has_state`: not all of them are log lines."""

    cluster_id: UUID
    owner_id: UUID
    seq: int
    has_state: bool

    def encode(self) -> str:
        """Write the payload of the NOTIFY (at most 7,999 bytes are allowed; this has 90)."""
        return f"{self.cluster_id} {self.owner_id} {self.seq} {int(self.has_state)}"

    @classmethod
    def decode(cls, payload: str) -> "EventHint":
        """Read a payload.

        Raises:
            ValueError: it is none.
        """
        cluster_id, owner_id, seq, has_state = payload.split(" ")
        return cls(UUID(cluster_id), UUID(owner_id), int(seq), has_state == "1")


async def tell_revoked(session: WriteSession, ended: UUID) -> None:
    """Hint, when the transaction commits, that something was ended before its time."""
    await session.execute(select(func.pg_notify(REVOKED_CHANNEL, str(ended))))


async def tell_all_revoked(session: WriteSession, ended: Sequence[UUID]) -> None:
    """Hint the same of many in one statement."""
    if ended:
        ids = func.unnest(cast([str(each) for each in ended], ARRAY(Text)))
        await session.execute(select(func.pg_notify(REVOKED_CHANNEL, ids)))


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who is told. The callbacks must not block.

    `revoked` gets the id of what was ended before its time: a session, a token or a credential; or
    of the cluster whose credentials all ended.
    """

    event: Callable[[EventHint], None]
    job: Callable[[], None]
    revoked: Callable[[UUID], None]
    may_have_missed: Callable[[], None]


class HintListener:
    """Keeps one listening connection, and says so when hints may have been lost."""

    def __init__(self, url: str, receivers: Receivers) -> None:
        self._url = url
        self._receivers = receivers

    async def run(self) -> None:
        """Listen until cancelled, over as many connections as it takes."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("hints_lost", reason=type(error).__name__)
            self._receivers.may_have_missed()
            await anyio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await connect(
            self._url,
            timeout=HEARTBEAT_SECONDS,
            command_timeout=HEARTBEAT_SECONDS,
            server_settings={"application_name": "pyk8s-lab hints"},
        )
        ended = anyio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(EVENTS_CHANNEL, self._on_event)
            await connection.add_listener(JOBS_CHANNEL, self._on_job)
            await connection.add_listener(REVOKED_CHANNEL, self._on_revoked)
            self._receivers.may_have_missed()
            while not ended.is_set():
                with anyio.move_on_after(HEARTBEAT_SECONDS):
                    await ended.wait()
                if not ended.is_set():
                    await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _on_event(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        try:
            hint = EventHint.decode(str(payload))
        except ValueError:
            log.warning("hint_not_understood")
            self._receivers.may_have_missed()
            return
        self._receivers.event(hint)

    def _on_job(self, _connection: object, _pid: int, _channel: str, _payload: object) -> None:
        self._receivers.job()

    def _on_revoked(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        try:
            self._receivers.revoked(UUID(str(payload)))
        except ValueError:
            log.warning("hint_not_understood")
