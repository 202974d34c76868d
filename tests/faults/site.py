"""A site: a real server as a process, its database and directory, and what it takes to ask it."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

import asyncpg
import httpx

from tests.ports import free_port

PATIENCE_SECONDS: Final = 60.0
SETTLED: Final = frozenset({"ready", "failed", "deleted"})


class ServerProcess:
    """One `python -m server`, in a data directory and with a port that outlive it."""

    def __init__(self, site: "Site", port: int) -> None:
        self._site = site
        self.url = f"http://127.0.0.1:{port}"
        self._env = site.environment | {"PYK8S_PORT": str(port)}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self, **settings: str) -> None:
        """Start, and wait until it says that it is ready."""
        with (self._site.path / "server.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "server",
                env=self._env | settings, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        async with asyncio.timeout(PATIENCE_SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while True:
                assert self._process.returncode is None, self._site.log_tail()
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{self.url}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self) -> int:
        """Wait until it has ended by itself; give its status."""
        assert self._process is not None
        return await self._process.wait()

    async def kill(self) -> None:
        """End it with KILL, and nothing else."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            await self._process.wait()


class Site:
    """A server and its clusters, whatever makes them."""

    def __init__(self, path: Path, database: asyncpg.Connection, environment: dict[str, str]):
        self.path = path
        self.database = database
        self.environment = environment
        self.server = ServerProcess(self, free_port())
        self.http = httpx.AsyncClient(trust_env=False, timeout=30)
        self.clusters: dict[str, str] = {}
        """The clusters of this test: what they are for, to their id."""

    def log_tail(self) -> str:
        """Give the end of the server's log."""
        return self.log()[-6000:]

    def log(self) -> str:
        """Give the log of all servers of this site."""
        return (self.path / "server.log").read_text()

    async def sign_up(self, username: str = "ann") -> None:
        """Register; from now on the user's token goes with every request."""
        account = {"username": username, "password": "correct horse battery"}
        answer = await self.http.post(f"{self.server.url}/api/v1/auth/register", json=account)
        assert answer.status_code == 201, answer.text
        wish = {"name": "faults", "scopes": ["clusters:read", "clusters:write"]}
        made = await self.http.post(f"{self.server.url}/api/v1/tokens", json=wish)
        assert made.status_code == 201, made.text
        self.http.cookies.clear()
        self.http.headers["Authorization"] = f"Bearer {made.json()['token']}"

    async def create(self, purpose: str, **wishes: object) -> str:
        """Ask for a cluster; give its id."""
        body = {"name": purpose.replace("_", "-"), **wishes}
        answer = await self.http.post(f"{self.server.url}/api/v1/clusters", json=body)
        assert answer.status_code == 202, answer.text
        cluster_id: str = answer.json()["id"]
        self.clusters[purpose] = cluster_id
        return cluster_id

    async def get(self, cluster_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"{self.server.url}/api/v1/clusters/{cluster_id}")
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json())

    async def delete(self, cluster_id: str) -> None:
        answer = await self.http.delete(f"{self.server.url}/api/v1/clusters/{cluster_id}")
        assert answer.status_code in {202, 204}, answer.text

    async def settled(self, seconds: float = PATIENCE_SECONDS) -> dict[str, dict[str, Any]]:
        """Wait until every cluster is ready, failed or deleted and no job is open."""

        async def all_settled() -> bool:
            rows = await self.database.fetch("SELECT phase FROM clusters")
            open_jobs = await self.database.fetchval(
                "SELECT count(*) FROM jobs WHERE state <> 'done'"
            )
            return not open_jobs and all(row["phase"] in SETTLED for row in rows)

        try:
            await eventually(all_settled, seconds)
        except TimeoutError:
            stuck = await self.database.fetch(
                "SELECT c.name, c.phase, j.kind, j.state, j.tries, j.claimed_by, j.lease_until "
                "FROM clusters c LEFT JOIN jobs j ON j.cluster_id = c.id AND j.state <> 'done' "
                "WHERE j.id IS NOT NULL OR c.phase NOT IN ('ready', 'failed', 'deleted')"
            )
            words = "\n".join(str(dict(row)) for row in stuck)
            raise AssertionError(f"stuck:\n{words}\n{self.log_tail()}") from None
        return {purpose: await self.get(each) for purpose, each in self.clusters.items()}

    def processes(self) -> dict[int, str]:
        """Find what runs on this site: runners, kinds, and what those left."""
        found = {}
        for directory in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(self.path) in command:
                    found[int(directory.name)] = command[:200]
        return found

    def end_runners(self, of: str = "") -> None:
        """Do what a restart of the backend's container does: runners and kinds end too.

        `of`: only those that have this in their command.
        """
        for pid, command in self.processes().items():
            if of in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


async def eventually(ask: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Ask again and again until the answer is yes."""
    async with asyncio.timeout(seconds):
        while not await ask():
            await asyncio.sleep(0.05)
