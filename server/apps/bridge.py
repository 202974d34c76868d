"""HTTP connections into apps, kept open and shared: a local socket for each app.

An HTTP client wants a place to connect to. Each app has a socket file in a directory that only
this process reads; who connects there gets a connection to the port inside the cluster.
"""

import asyncio
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID

import aiohttp
import anyio
from anyio.abc import ByteStream

from server.telemetry import get_logger
from server.transport.bounded_answers import bound_answers
from server.transport.joining import PIECE_BYTES, join

Dial = Callable[[], Awaitable[ByteStream]]

MOST: Final = 64
"""Apps whose connections are kept while nothing is open in them; those unused for longest go
first."""
MOST_BUSY: Final = 32
"""Apps of one user in which something is open at the same time. Each takes a socket file."""

log = get_logger(__name__)


class TooManyBusy(Exception):
    """The user has as many apps open as one may have."""


@dataclass(slots=True)
class _Way:
    user_id: UUID
    server: asyncio.Server
    session: aiohttp.ClientSession
    held: int = 0
    """Requests that are under way."""


class Bridges:
    """Gives each app an HTTP client of its own."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._ways: OrderedDict[tuple[UUID, UUID], _Way] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()
        self._numbers = count()
        self.why: dict[UUID, str] = {}
        """Why the last connection to an app failed."""

    async def session(
        self, app_id: UUID, attempt_id: UUID, user_id: UUID, dial: Dial
    ) -> aiohttp.ClientSession:
        """Give the client for an app of a cluster as it was made by an attempt.

        `user_id`: whose app it is. It is kept open under `holding`, to be entered before anything
        else is waited for.

        Raises:
            TooManyBusy: the user has as many apps open as one may have.
        """
        key = (app_id, attempt_id)
        if key not in self._ways:
            self._refuse_more(user_id)
            opened = await self._open(app_id, user_id, dial)
            way = self._ways.setdefault(key, opened)  # another request may have come first
            if way is not opened:
                await _close(opened)
        way = self._ways[key]
        self._ways.move_to_end(key)
        self._forget_idle(but=key)
        return way.session

    @contextmanager
    def holding(self, app_id: UUID, attempt_id: UUID) -> Iterator[None]:
        """Keep an app's client open until the block ends."""
        way = self._ways[app_id, attempt_id]
        way.held += 1
        try:
            yield
        finally:
            way.held -= 1

    def _refuse_more(self, user_id: UUID) -> None:
        busy = sum(way.held > 0 for way in self._ways.values() if way.user_id == user_id)
        if busy >= MOST_BUSY:
            raise TooManyBusy

    def _forget_idle(self, *, but: tuple[UUID, UUID]) -> None:
        idle = [key for key, way in self._ways.items() if not way.held and key != but]
        for key in idle[: max(0, len(self._ways) - MOST)]:
            task = asyncio.create_task(_close(self._ways.pop(key)))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Let go of all connections."""
        for way in [*self._ways.values()]:
            await _close(way)
        self._ways.clear()
        await asyncio.gather(*self._closing)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    async def _open(self, app_id: UUID, user_id: UUID, dial: Dial) -> _Way:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="pyk8s-apps-"))
        path = self._directory / str(next(self._numbers))
        server = await asyncio.start_unix_server(
            partial(self._serve, app_id, dial), path, limit=PIECE_BYTES
        )
        session = aiohttp.ClientSession(
            connector=bound_answers(aiohttp.UnixConnector(str(path), limit=0)),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            read_bufsize=PIECE_BYTES,
        )
        return _Way(user_id, server, session)

    async def _serve(
        self, app_id: UUID, dial: Dial, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            stream = await dial()
            try:
                self.why.pop(app_id, None)
                await join(reader, writer, stream)
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                    await stream.aclose()
        except (OSError, anyio.BrokenResourceError) as error:
            self.why[app_id] = str(error)
        except Exception:
            self.why[app_id] = "the server could not connect to it; its log says why"
            log.exception("app_not_connected", app_id=str(app_id))
        finally:
            writer.close()


async def _close(way: _Way) -> None:
    way.server.close()
    await way.session.close()
