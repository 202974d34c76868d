"""Fixtures of the tests on a real PostgreSQL.

database    a `Database` on a fresh clone
owner       an account in it
settings    settings of a server on a fresh clone, simulated driver at high speed
lab_server  that server, listening on a loopback port
ann, bob    callers of it with a token each; ann is the admin
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from pyk8s.wire.accounts import User
from server.__main__ import Server, configuration, listening
from server.api.application import create_app
from server.api.state import State
from server.app import relaying, running
from server.config import Settings
from server.provisioner import launch
from server.store.database import Database
from tests.factories import add_user
from tests.ports import free_port


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Connect to a fresh database."""
    database = Database(database_url, pool_size=10)
    yield database
    await database.close()


@pytest.fixture
async def owner(database: Database) -> User:
    """Make the first account."""
    return await add_user(database)


@dataclass(frozen=True, slots=True)
class LabServer:
    """A whole server on a loopback port, with the simulated driver at high speed."""

    base_url: str
    state: State

    @property
    def origin(self) -> str:
        """What a browser on its page sends as Origin."""
        return self.base_url


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[LabServer]:
    """Run a server in a task of its own, on a port that the system chooses."""
    started: asyncio.Future[LabServer] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def run() -> None:
        try:
            with listening(settings) as (listener, sockets):
                async with running(settings) as state, relaying(state, sockets):
                    server = Server(configuration(create_app(state)), state)
                    task = asyncio.create_task(server.serve(sockets=[listener]))
                    started.set_result(LabServer(f"http://127.0.0.1:{settings.port}", state))
                    await stop.wait()
                    server.should_exit = True
                    await task
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    task = asyncio.create_task(run())
    try:
        async with asyncio.timeout(60):
            server = await started
        yield server
    finally:
        stop.set()
        await task
        # Runners outlive their server on purpose; those of a test have nobody who takes them up.
        for attempt in (settings.data_dir / "attempts").glob("*-*"):
            await launch.stop(attempt, grace_seconds=0.5)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a server for one test."""
    return Settings(
        port=free_port(),
        data_dir=tmp_path / "data",
        database_url=SecretStr(database_url),
        driver="simulated",
        proxy_port=0,
        apps_port=0,
        simulated_speed=50,
        signup="open",
        host_name="test-host",
    )


@pytest.fixture
async def lab_server(settings: Settings) -> AsyncIterator[LabServer]:
    """Serve for one test."""
    async with serving(settings) as server:
        yield server


@dataclass(slots=True)
class Caller:
    """A program with a token."""

    http: httpx.AsyncClient
    token: str
    base_url: str

    async def create(self, **body: object) -> dict[str, Any]:
        """Ask for a cluster."""
        answer = await self.http.post("/api/v1/clusters", json=body)
        assert answer.status_code == 202, answer.text
        return cast("dict[str, Any]", answer.json())

    async def until(self, cluster_id: str, phase: str) -> dict[str, Any]:
        """Poll until the cluster is in a phase."""
        async with asyncio.timeout(30):
            while True:
                answer = await self.http.get(f"/api/v1/clusters/{cluster_id}")
                cluster = cast("dict[str, Any]", answer.json())
                if cluster["phase"] == phase:
                    return cluster
                assert not (cluster["phase"] == "failed" and phase == "ready"), cluster["failure"]
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[ClientConnection]:
        """Open the WebSocket and take its hello."""
        async with connect(
            self.base_url.replace("http", "ws") + "/api/v1/stream",
            subprotocols=[Subprotocol("pyk8s.v1")],
            additional_headers={"Authorization": f"Bearer {self.token}"},
            max_size=None,
            proxy=None,
        ) as socket:
            hello = json.loads(await socket.recv())
            assert hello["type"] == "hello"
            yield socket


async def sign_up(server: LabServer, username: str) -> Caller:
    """Register, and make a token with all scopes that the user has."""
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False, timeout=30) as browser:
        account = {"username": username, "password": "correct horse battery"}
        account["setup_code"] = server.state["setup_code"].text  # where others reach the server
        answer = await browser.post("/api/v1/auth/register", json=account)
        assert answer.status_code == 201, answer.text
        me = (await browser.get("/api/v1/auth/me")).json()
        wish = {"name": "test", "scopes": me["scopes"]}
        token = (await browser.post("/api/v1/tokens", json=wish)).json()["token"]
    http = httpx.AsyncClient(
        base_url=server.base_url,
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=30,
    )
    return Caller(http, token, server.base_url)


@pytest.fixture
async def ann(lab_server: LabServer) -> AsyncIterator[Caller]:
    """The first user: an admin."""
    caller = await sign_up(lab_server, "ann")
    async with caller.http:
        yield caller


@pytest.fixture
async def bob(lab_server: LabServer, ann: Caller) -> AsyncIterator[Caller]:
    """Another user."""
    caller = await sign_up(lab_server, "bob")
    async with caller.http:
        yield caller
