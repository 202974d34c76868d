"""A place to measure in: a real PostgreSQL, servers as processes, users and clusters in them."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import asyncpg
import httpx
import uuid_utils.compat as uuids

from pyk8s.wire.accounts import Scope, User
from pyk8s.wire.cluster import Cluster
from server.config import REPOSITORY
from server.provisioner import launch
from server.secrets import BEARER_PREFIX, hash_secret, new_secret
from server.store import accounts, clusters
from server.store.clusters import NewCluster
from server.store.database import Database
from server.store.embedded import EmbeddedPostgres
from server.store.embedded_home import Home
from server.store.migrate import upgrade

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
FLAME_HZ = 200
ATTACH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Process:
    """A server that answers."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody with a token."""

    user: User
    token: str


@dataclass(frozen=True, slots=True)
class Site:
    """What all rows of a run share. `flame`: where a profile of the server goes, if one does."""

    path: Path
    url: str
    flame: Path | None = None

    @property
    def postgres_pid(self) -> int:
        """The first process of our PostgreSQL."""
        told = (Home.find(self.path).data / "postmaster.pid").read_text()
        return int(told.splitlines()[0])

    async def postgres_version(self) -> str:
        """Ask PostgreSQL what it is."""
        connection = await asyncpg.connect(self.url)
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close(timeout=5)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Make a migrated database, and drop it afterwards."""
        name = f"bench_{uuid4().hex[:12]}"
        control = await asyncpg.connect(self.url)
        try:
            await control.execute(f'CREATE DATABASE "{name}"')
            database = Database(self.url.replace("/pyk8s?", f"/{name}?"), pool_size=10)
            try:
                await upgrade(database.url)
                yield database
            finally:
                with anyio.CancelScope(shield=True):
                    await database.close()
                    await control.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await control.close(timeout=5)

    @asynccontextmanager
    async def server(self, database: Database, **settings: str) -> AsyncIterator[Process]:
        """Run a whole server on a database until the block ends."""
        folder = Path(tempfile.mkdtemp(prefix="server-", dir=self.path))
        own = {
            "PYK8S_DATA_DIR": str(folder),
            "PYK8S_DATABASE_URL": database.url,
            "PYK8S_DRIVER": "simulated",
            "PYK8S_SIMULATED_SPEED": "50",
            "PYK8S_PROXY_PORT": "0",
            "PYK8S_APPS_PORT": "0",
            "PYK8S_LOG_FORMAT": "json",
            "PYK8S_STREAMS_PER_USER": "100000",
            "PYK8S_MAX_CLUSTERS_PER_USER": "100",
            "PYK8S_LOG_CAP_BYTES": str(1024**3),
        }
        try:
            async with self.process("server", own | settings) as process:
                yield process
        finally:
            with anyio.CancelScope(shield=True):
                for attempt in (folder / "attempts").glob("*-*"):  # runners outlive their server
                    await launch.stop(attempt, grace_seconds=0.5)

    @asynccontextmanager
    async def bare(self, **settings: str) -> AsyncIterator[Process]:
        """Run the bare server that the baselines are measured on."""
        async with self.process("bench.bare", settings) as process:
            yield process

    @asynccontextmanager
    async def process(self, module: str, settings: dict[str, str]) -> AsyncIterator[Process]:
        """Run a module that listens on PYK8S_PORT and answers /healthz."""
        port = free_port()
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with (self.path / "servers.log").open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", module,
                cwd=REPOSITORY, env=kept | {"PYK8S_PORT": str(port)} | settings,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            await self._answers(child, f"http://127.0.0.1:{port}/healthz")
            yield Process(child.pid, port)
        finally:
            with anyio.CancelScope(shield=True):
                await _end(child, signal.SIGTERM)

    @asynccontextmanager
    async def profiled(self, process: Process) -> AsyncIterator[None]:
        """Let py-spy watch a server during the block, if a profile is wanted.

        It has to be root, or the kernel has to allow it (kernel.yama.ptrace_scope=0).
        """
        if self.flame is None:
            yield
            return
        spy = await asyncio.create_subprocess_exec(
            "py-spy", "record", "--pid", str(process.pid), "--output", str(self.flame),
            "--rate", str(FLAME_HZ), "--nonblocking",
        )  # fmt: skip
        await asyncio.sleep(ATTACH_SECONDS)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await _end(spy, signal.SIGINT)

    async def _answers(self, child: asyncio.subprocess.Process, url: str) -> None:
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while True:
                if child.returncode is not None:
                    told = (self.path / "servers.log").read_text(errors="replace")
                    raise RuntimeError(f"the server did not start:\n{told[-3000:]}")
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(url)).status_code == httpx.codes.OK:
                        return
                await asyncio.sleep(0.05)


async def _end(child: asyncio.subprocess.Process, how: signal.Signals) -> None:
    """Stop a process in good order, or with KILL when it takes too long."""
    with contextlib.suppress(ProcessLookupError):
        child.send_signal(how)
    try:
        await asyncio.wait_for(child.wait(), STOP_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()


@asynccontextmanager
async def open_site(flame: Path | None = None) -> AsyncIterator[Site]:
    """Start a PostgreSQL in a folder of its own; both are gone afterwards, whatever happens.

    Its commits wait for the disk, as in life.
    """
    path = Path(tempfile.mkdtemp(prefix="pyk8s-bench-"))
    embedded = EmbeddedPostgres(path)
    try:
        yield Site(path, await embedded.start(), flame)
    finally:
        with anyio.CancelScope(shield=True):
            await embedded.remove()
            shutil.rmtree(path, ignore_errors=True)


_PERSONS = [Scope.CLUSTERS_READ, Scope.CLUSTERS_WRITE, Scope.ACCESS]


async def add_accounts(database: Database, count: int) -> list[Account]:
    """Make users with a token each, the first one an administrator; none of them can sign in."""
    made = []
    async with database.transaction() as session:
        for number in range(count):
            user = await accounts.add_user(
                session, user_id=uuids.uuid7(), username=f"user-{number}", password_hash="-",
                signup=True,
            )  # fmt: skip
            if user is None:
                raise RuntimeError("a new user's name is taken")
            token = new_secret(BEARER_PREFIX)
            await accounts.add_token(
                session, token_id=uuids.uuid7(), user_id=user.id, name="bench",
                secret_hash=hash_secret(token),
                scopes=[*Scope] if user.is_admin else _PERSONS,
                lifetime=None,
            )  # fmt: skip
            made.append(Account(user, token))
    return made


async def add_clusters(database: Database, owners: Sequence[Account]) -> list[Cluster]:
    """Make a pending cluster for each, without a job."""
    made = []
    async with database.transaction() as session:
        for owner in owners:
            new = NewCluster(
                id=uuids.uuid7(), name="demo", template="default", kubernetes_version="v1.37.0",
                control_planes=1, workers=0, ttl_seconds=3600, labels={}, driver="simulated",
            )  # fmt: skip
            cluster = await clusters.add(session, owner.user.id, new)
            if cluster is None:
                raise RuntimeError("a new cluster's name is taken")
            made.append(cluster)
    return made


async def ask_for_cluster(server: Process, owner: Account, name: str, scenario: str) -> UUID:
    """Ask over the API for a cluster that the simulated driver makes."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(
            f"{server.url}/api/v1/clusters",
            json={"name": name, "labels": {"simulate": scenario}},
            headers={"Authorization": f"Bearer {owner.token}"},
        )
        answer.raise_for_status()
        return UUID(answer.json()["id"])


def free_port() -> int:
    """Let the system choose a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
