"""A PostgreSQL of our own, from a wheel, for a machine that has none.

It runs in a session of its own: when the server dies it lives on, and the next start adopts it.
Reached only through a socket in a folder that is closed to others. By hand:
`python -m server.store.embedded status|stop|remove DATA_DIR`.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import anyio
import anyio.to_thread
import asyncpg

from server.errors import LabError, StartFailed
from server.store.data_lock import data_dir_locked, open_lock
from server.store.embedded_home import SYSTEM_DIR, Home, programs, write_settings
from server.store.embedded_processes import (
    clear_after_death,
    end_orphans,
    is_alive,
    is_postmaster,
    postmaster_of,
)

DATABASE: Final = "pyk8s"
ROLE: Final = "pyk8s"
LOG_BYTES: Final = 4 * 1024 * 1024
LOG_LINES: Final = 12


class EmbeddedPostgres:
    """The PostgreSQL of one data directory.

    `durable=False` is for tests: commits do not wait for the disk, a power cut loses the database.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        start_seconds: float = 60.0,
        stop_seconds: float = 30.0,
        system_dir: Path = SYSTEM_DIR,
    ) -> None:
        self._data_dir = data_dir
        self._durable = durable
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._system_dir = system_dir
        self._pid: int | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster that the last start brought up or adopted."""
        return self._pid

    def has_ended(self) -> bool:
        """Whether a postmaster was started that is no longer there. Touches no disk."""
        return self._pid is not None and not is_alive(self._pid)

    async def start(self, *, must_exist: bool = False) -> str:
        """Start PostgreSQL, or adopt the one that runs, and give its address.

        `must_exist`: the data was there before. A missing folder is then a fault (a disk that is
        no longer mounted), not the reason for an empty database.

        The address names the socket: `postgresql://pyk8s@/pyk8s?host=...`, for asyncpg and
        SQLAlchemy alike. The database is there, empty when it is new.

        Raises:
            StartFailed: it does not come up; the detail has the last lines of its log.
        """
        cancelled = threading.Event()
        try:
            home = await anyio.to_thread.run_sync(
                self._start, cancelled, must_exist, abandon_on_cancel=True
            )
        except OSError as error:
            raise StartFailed(
                f"the embedded PostgreSQL cannot be started: {error}",
                fix="see whether the disk is full or the data directory is read-only",
            ) from error
        finally:
            cancelled.set()
        self._pid = postmaster_of(home.data)
        await self._make_database(home)
        return address(home.socket_dir)

    async def stop(self) -> None:
        """Stop PostgreSQL, if it runs, after its running transactions were rolled back.

        Raises:
            StartFailed: it does not end.
        """
        self._pid = None
        await anyio.to_thread.run_sync(self._stop)

    async def is_running(self) -> bool:
        """Tell whether it takes connections."""
        return await anyio.to_thread.run_sync(lambda: _listens(self._find().socket))

    async def running_address(self) -> str | None:
        """Return the address of the one that runs, or None. Starts and changes nothing.

        Raises:
            StartFailed: it belongs to another user of this machine.
        """
        home = await anyio.to_thread.run_sync(self._find)
        is_there = await anyio.to_thread.run_sync(_listens, home.socket)
        return address(home.socket_dir) if is_there else None

    async def remove(self) -> None:
        """Stop it and delete its data for ever.

        Raises:
            StartFailed: it does not end.
        """
        await anyio.to_thread.run_sync(self._remove)

    def _find(self) -> Home:
        return Home.find(self._data_dir, system_dir=self._system_dir)

    def _start(self, cancelled: threading.Event, must_exist: bool) -> Home:
        if must_exist and not self._find().data.exists():
            raise StartFailed(
                f"the data of the embedded PostgreSQL is gone from {self._data_dir / 'postgres'}",
                fix="mount that disk again, or restart the server to begin with an empty database",
            )
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with _alone(self._data_dir / "postgres.lock", self._start_seconds, cancelled):
            home = self._find()
            if home.is_leftover and not must_exist:
                self._delete(home)
                home = self._find()
            home = home.prepare()
            tools = programs(home)
            if not home.data.exists():
                self._initialise(home, tools)
            self._check_version(home, tools)
            write_settings(home, durable=self._durable)
            if _listens(home.socket):
                self._tool(home, [tools / "pg_ctl", "reload", "-D", home.data])
            else:
                self._launch(home, tools, cancelled)
            return home

    def _initialise(self, home: Home, tools: Path) -> None:
        """Make the database system in a folder beside; the rename at the end makes it count."""
        fresh = home.root / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        argv: list[str | Path] = [
            tools / "initdb",
            "-D",
            fresh,
            "-U",
            ROLE,
            "--auth=trust",
            "--encoding=UTF8",
        ]
        argv += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self._durable:
            argv.append("--no-sync")
        done = self._tool(home, argv)
        if done.returncode != 0:
            raise StartFailed(
                f"the embedded PostgreSQL could not be set up in {home.root}: {_tail(done.stdout)}",
                fix="see whether the disk is full or the folder is read-only; PYK8S_DATA_DIR "
                "chooses another",
            )
        (fresh / "pg_hba.conf").write_text("local all all trust\n")
        fresh.rename(home.data)

    def _check_version(self, home: Home, tools: Path) -> None:
        theirs = (home.data / "PG_VERSION").read_text().strip()
        ours = self._tool(home, [tools / "postgres", "--version"]).stdout.split()[-1]
        if theirs != ours.partition(".")[0]:
            raise StartFailed(
                f"the data in {home.data} was written by PostgreSQL {theirs}, this is {ours}",
                fix="install the requirements of then and dump it with pg_dump, or start afresh: "
                "`./clean-restart.sh`",
            )

    def _launch(self, home: Home, tools: Path, cancelled: threading.Event) -> None:
        clear_after_death(home.data, home.socket)
        if home.log.exists() and home.log.stat().st_size > LOG_BYTES:
            home.log.replace(home.log.with_suffix(".old"))
        argv: list[str | Path] = [tools / "pg_ctl", "start", "-D", home.data, "-l", home.log]
        argv += ["--wait", "--timeout", str(int(self._start_seconds)), "--silent"]
        done = self._tool(home, argv, timeout=self._start_seconds + 10, cancelled=cancelled)
        if done.returncode != 0 and not _listens(home.socket):
            told = home.log.read_text(errors="replace") if home.log.exists() else done.stdout
            raise StartFailed(
                f"the embedded PostgreSQL did not start; the end of {home.log}: {_tail(told)}",
                fix="free the disk or memory it asks for; `./clean-restart.sh` starts afresh, "
                "without the data",
            )

    def _stop(self) -> None:
        """Stop it once nobody is about to start it: a cancelled start ends in a moment."""
        lock = _alone(self._data_dir / "postgres.lock", self._start_seconds)
        with lock if self._data_dir.is_dir() else nullcontext():
            self._stop_alone()

    def _stop_alone(self) -> None:
        home = self._find()
        pid = postmaster_of(home.data)
        if pid is None or not is_postmaster(pid):
            end_orphans(home.data)
            return
        argv: list[str | Path] = [programs(home) / "pg_ctl", "stop", "-D", home.data, "--wait"]
        for mode, seconds in (("fast", self._stop_seconds), ("immediate", 10.0)):
            words = [*argv, "--timeout", str(max(1, int(seconds))), "--mode", mode]
            done = self._tool(home, words, timeout=seconds + 10)
            if done.returncode == 0 or not _listens(home.socket):
                return
        raise StartFailed(
            f"the embedded PostgreSQL does not stop: {_tail(done.stdout)}",
            fix=f"its process id is the first line of {home.data / 'postmaster.pid'}",
        )

    def _remove(self) -> None:
        home = self._find()
        if home.root.exists():
            self._delete(home)
        if home.link is not None and home.link.is_symlink():
            home.link.unlink()

    def _delete(self, home: Home) -> None:
        self._stop_alone()
        shutil.rmtree(home.root)
        if home.socket_dir.parent != home.root:
            shutil.rmtree(home.socket_dir, ignore_errors=True)

    def _tool(
        self,
        home: Home,
        argv: list[str | Path],
        *,
        timeout: float = 60.0,
        cancelled: threading.Event | None = None,
    ) -> subprocess.CompletedProcess[str]:
        try:
            return home.run(argv, timeout=timeout, cancelled=cancelled)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StartFailed(
                f"a program of the embedded PostgreSQL failed: {error}",
                fix=f"{home.log} may say more",
            ) from error

    async def _make_database(self, home: Home) -> None:
        """Make our database, once it takes queries: after a crash it repairs itself first."""
        connection: asyncpg.Connection | None = None
        reason = "no answer"
        with anyio.move_on_after(self._start_seconds):
            while connection is None and not self.has_ended():
                try:
                    connection = await asyncpg.connect(
                        address(home.socket_dir, "postgres"), timeout=5, command_timeout=20
                    )
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    reason = str(error) or type(error).__name__
                    await anyio.sleep(0.05)
        try:
            if connection is None:
                raise ConnectionError(reason)
            there = await connection.fetchval(
                "SELECT 1 FROM pg_database WHERE datname = $1", DATABASE
            )
            if not there:
                # Another start may be quicker; the second error is what a tie looks like.
                with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                    await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            told = home.log.read_text(errors="replace") if home.log.exists() else ""
            raise StartFailed(
                f"the embedded PostgreSQL takes no connections: {error}; the end of {home.log}: "
                f"{_tail(told)}",
                fix=f"{home.log} may say more",
            ) from error
        finally:
            if connection is not None:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.close(timeout=5)


def address(socket_dir: Path, database: str = DATABASE) -> str:
    """Write the address of a database behind the socket in a folder."""
    return f"postgresql://{ROLE}@/{database}?host={quote(str(socket_dir))}&port=5432"


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _tail(text: str) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-LOG_LINES:])


@contextmanager
def _alone(path: Path, seconds: float, cancelled: threading.Event | None = None) -> Iterator[None]:
    """Let one process at a time set up or start the same PostgreSQL."""
    descriptor = open_lock(path)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                is_cancelled = cancelled is not None and cancelled.is_set()
                if is_cancelled or time.monotonic() > deadline:
                    raise StartFailed(
                        f"another server has held {path} for {seconds:.0f} s",
                        fix="end it, or give this one a PYK8S_DATA_DIR of its own",
                    ) from error
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


async def _by_hand(verb: str, data_dir: Path) -> str:
    postgres = EmbeddedPostgres(data_dir)
    if verb == "status":
        return "running" if await postgres.is_running() else "not running"
    if verb == "stop":
        await postgres.stop()
        return "stopped"
    await postgres.remove()
    return "removed"


def main(argv: list[str]) -> int:
    """Look after the PostgreSQL of a data directory when no server does."""
    if len(argv) != 2 or argv[0] not in {"status", "stop", "remove"}:  # noqa: PLR2004
        sys.stderr.write("usage: python -m server.store.embedded status|stop|remove DATA_DIR\n")
        return 2
    try:
        data_dir = Path(argv[1]).absolute()
        is_ours = argv[0] == "status" or not data_dir.is_dir()
        # Not the PostgreSQL of a server that runs: that one would start it again.
        with nullcontext() if is_ours else data_dir_locked(data_dir, port=0):
            sys.stdout.write(anyio.run(_by_hand, argv[0], data_dir) + "\n")
    except LabError as error:
        sys.stderr.write(f"{error.detail}\n  {error.fix}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
