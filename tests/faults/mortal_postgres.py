"""A PostgreSQL that may be killed, and a wire to it that may go silent."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import anyio.to_thread

from server.store.embedded import DATABASE, ROLE, EmbeddedPostgres
from server.store.embedded_home import Home, programs
from server.store.migrate import upgrade
from tests.faults.site import eventually

CHUNK_BYTES: Final = 64 * 1024
COMMIT: Final = b"COMMIT;\x00"


class MortalPostgres:
    """The PostgreSQL of one data directory, as durable as the server's own."""

    def __init__(self, data_dir: Path) -> None:
        self._embedded = EmbeddedPostgres(data_dir)
        self._data_dir = data_dir

    async def start(self) -> str:
        """Start it, repair included, and give its address."""
        return await self._embedded.start()

    async def stop_immediately(self) -> None:
        """Stop it as `pg_ctl stop -m immediate` does: nothing is finished, nothing is written."""
        home = self._home
        argv: list[str | Path] = [programs(home) / "pg_ctl", "stop", "-D", home.data, "--wait"]
        argv += ["--mode", "immediate"]
        done = await anyio.to_thread.run_sync(lambda: home.run(argv, timeout=60))
        assert done.returncode == 0, done.stdout

    async def kill(self) -> None:
        """End all of its processes with KILL at once."""
        postmaster = int((self._home.data / "postmaster.pid").read_text().split()[0])
        pids = [postmaster, *_children_of(postmaster)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        async def are_gone() -> bool:
            # As long as nobody has asked how it ended, the next one takes it for alive.
            return not any(map(_is_known, pids))

        await eventually(are_gone)

    @property
    def socket(self) -> Path:
        return self._home.socket

    @property
    def _home(self) -> Home:
        return Home.find(self._data_dir)

    async def remove(self) -> None:
        await self._embedded.remove()


def _is_known(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _children_of(parent: int) -> list[int]:
    return [
        int(pid)
        for tasks in Path(f"/proc/{parent}/task").glob("*/children")
        for pid in tasks.read_text().split()
    ]


@contextlib.asynccontextmanager
async def mortal_postgres(path: Path) -> AsyncIterator[tuple[MortalPostgres, str]]:
    """Give a PostgreSQL with all migrations applied, and its address."""
    postgres = MortalPostgres(path / "postgres")
    try:
        url = await postgres.start()
        await upgrade(url)
        yield postgres, url
    finally:
        await postgres.remove()


class Wire:
    """A TCP port that leads to PostgreSQL's socket. It can go silent, break, and slow commits down.

    Silent: what is sent arrives when the silence is over, as on a network that is cut.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.commit_seconds = 0.0
        """So long each COMMIT is on its way."""
        self.opened = 0
        """How many connections were made through it so far."""

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}@127.0.0.1:{self._port}/{DATABASE}"

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Let nothing through, in no direction, and break nothing."""
        self._is_open.clear()
        try:
            yield
        finally:
            self._is_open.set()

    def reset(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            self._is_open.set()
            server.close()
            self.reset()

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._writers.add(back)
        away: asyncio.StreamWriter | None = None
        try:
            await self._is_open.wait()
            far, away = await asyncio.open_unix_connection(str(self._socket))
            self.opened += 1
            self._writers.add(away)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(near, away))
                tasks.create_task(self._carry(far, back))
        except (OSError, ExceptionGroup):
            pass  # either end is gone, so the other one goes
        finally:
            for writer in (back, away):
                if writer is not None:
                    self._writers.discard(writer)
                    writer.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            if self.commit_seconds and COMMIT in chunk:
                await asyncio.sleep(self.commit_seconds)
            await self._is_open.wait()
            target.write(chunk)
            await target.drain()
        raise ConnectionResetError
