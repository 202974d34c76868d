"""The line in front of the database: who fills it keeps nobody else out."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from server.config import Settings
from server.errors import LabError
from server.secrets import CREDENTIAL_PREFIX
from server.store import database
from tests.integration.conftest import Caller, LabServer, serving
from tests.ports import free_port

REQUESTS: Final = 100
QUEUE: Final = 50
REFUSED: Final = 36
"""At least so many of them do not fit into their lane, which has `QUEUE` places."""


@pytest.fixture
async def lab_server(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LabServer]:
    monkeypatch.setattr(database, "ACQUIRE_SECONDS", 60.0)  # a test may hold the line up for longer
    update = {"proxy_port": free_port(), "apps_port": free_port(), "database_queue": QUEUE}
    async with serving(settings.model_copy(update=update)) as server:
        yield server


def request_of(kind: str, number: int, server: LabServer, ann: Caller) -> httpx.Request:
    settings = server.state["settings"]
    url, headers = f"{server.base_url}/api/v1/auth/me", {}
    match kind:
        case "tokens of one user":
            headers = {"Authorization": f"Bearer {ann.token}"}
        case "made-up tokens":
            headers = {"Authorization": f"Bearer pyk8s_{number}"}
        case "made-up sessions":
            headers = {"Cookie": f"pyk8s_session={number}"}
        case "made-up credentials":
            url = f"https://127.0.0.1:{settings.proxy_port}/clusters/x/"
            headers = {"Authorization": f"Bearer {CREDENTIAL_PREFIX}{number}"}
        case "made-up apps":
            url = f"http://127.0.0.1:{settings.apps_port}/"
            headers = {"Host": f"a{number}.localhost:{settings.apps_port}"}
    return httpx.Request("GET", url, headers=headers)


@pytest.mark.parametrize(
    "kind",
    [
        "tokens of one user",
        "made-up tokens",
        "made-up sessions",
        "made-up credentials",
        "made-up apps",
    ],
)
async def test_a_flood_keeps_nobody_else_out(
    lab_server: LabServer, ann: Caller, bob: Caller, kind: str
) -> None:
    assert (await bob.http.get("/api/v1/auth/me")).status_code == 200
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    limits = httpx.Limits(max_connections=REQUESTS)
    people = lab_server.state["database"]
    settings = lab_server.state["settings"]
    async with (
        asyncio.timeout(50),
        httpx.AsyncClient(trust_env=False, timeout=50, limits=limits, verify=tls) as http,
        asyncio.TaskGroup() as tasks,
    ):
        async with AsyncExitStack() as held:
            for _ in range(settings.database_pool_size):
                await held.enter_async_context(people.reading())
            flood = [
                tasks.create_task(http.send(request_of(kind, number, lab_server, ann)))
                for number in range(REQUESTS)
            ]
            while sum(each.done() for each in flood) < REFUSED:
                await asyncio.sleep(0.02)
            before = people.line.waiting
            asked = tasks.create_task(bob.http.get("/api/v1/auth/me"))
            while not asked.done() and people.line.waiting == before < QUEUE:
                await asyncio.sleep(0.02)
        assert (await asked).status_code == 200
        answers = [await each for each in flood]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) >= REFUSED
    assert all(float(answer.headers["Retry-After"]) > 0 for answer in refused)


@pytest.mark.parametrize("what", ["waking", "the way in", "nodes"])
async def test_requests_wait_in_the_lane_of_people(lab_server: LabServer, what: str) -> None:
    cluster_id = uuid4()
    state = lab_server.state
    line = state["database"].line
    async with asyncio.timeout(50):
        async with AsyncExitStack() as held:
            for _ in range(state["settings"].database_pool_size):
                await held.enter_async_context(state["database"].reading())
            before = line.waiting
            ways: dict[str, Coroutine[Any, Any, object]] = {
                "waking": state["waker"].awake(cluster_id),
                "the way in": state["upstreams"].for_people(cluster_id, uuid4()),
                "nodes": state["own_host"].nodes_of(cluster_id),
            }
            asked = asyncio.create_task(ways.pop(what))
            for other in ways.values():
                other.close()
            await asyncio.sleep(0)  # it runs until it waits
            waiting = line.waiting
        with pytest.raises(LabError):  # there is no such cluster
            await asked
    assert waiting == before + 1
