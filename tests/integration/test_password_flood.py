"""Many sign-ins and registrations at once, on the whole server."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from server.commands.throttle import FREE_TRIES
from server.config import Settings
from tests.integration.conftest import LabServer, serving
from tests.integration.test_api import problem

LOGIN, REGISTER = "/api/v1/auth/login", "/api/v1/auth/register"
ANN = {"username": "ann", "password": "correct horse battery"}
BOB = {"username": "bob", "password": "correct horse battery"}
WRONG = {"username": "ann", "password": "wrong horse battery"}
A_FEW = 3
"""More than the free tries may pass: on a slow machine the first waits end meanwhile."""


def new_browser(server: LabServer) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.base_url, trust_env=False, timeout=100)


async def post(server: LabServer, path: str, document: dict[str, str]) -> tuple[int, str]:
    """Send a request on a connection of its own; give the status, and the code of a refusal.

    A thousand at once: a client with a pool would take longer than the server.
    """
    url = urlsplit(server.base_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    body = json.dumps(document)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, told = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(told).get("code", "")


async def sign_in(browser: httpx.AsyncClient, account: dict[str, str]) -> httpx.Response:
    """Sign in, and try again when PostgreSQL is late."""
    async with asyncio.timeout(60):
        while True:
            answer = await browser.post(LOGIN, json=account)
            if answer.status_code != 503 or answer.json()["code"] != "unavailable":
                return answer
            await asyncio.sleep(0.1)


@pytest.fixture
async def ann(lab_server: LabServer) -> AsyncIterator[httpx.AsyncClient]:
    """The browser in which ann has registered; bob has too, in another one."""
    async with new_browser(lab_server) as browser:
        assert (await browser.post(REGISTER, json=ANN)).status_code == 201
        async with new_browser(lab_server) as other:
            assert (await other.post(REGISTER, json=BOB)).status_code == 201
        yield browser


@pytest.mark.parametrize("tries", [200, 1100])
async def test_parallel_wrong_passwords(
    lab_server: LabServer, ann: httpx.AsyncClient, tries: int
) -> None:
    async with new_browser(lab_server) as fresh:
        answers = await asyncio.gather(*(post(lab_server, LOGIN, WRONG) for _ in range(tries)))
        codes = Counter(code for _, code in answers)
        # On a busy machine PostgreSQL may be late for one: it is not decided, nor counted.
        assert set(codes) <= {"wrong_credentials", "too_many_attempts", "unavailable"}
        assert codes["wrong_credentials"] <= FREE_TRIES + A_FEW
        assert codes["too_many_attempts"] >= tries - 2 * (FREE_TRIES + A_FEW)
        right = await sign_in(fresh, ANN)
        assert right.status_code in {200, 429}, right.text
        assert (await sign_in(fresh, BOB)).status_code == 200, "others sign in"
        again = await sign_in(ann, ANN)
        assert again.status_code == 200, "the owner's own device is not kept out"


async def test_a_device_is_one_of_its_account_and_has_tries_of_its_own(
    lab_server: LabServer, ann: httpx.AsyncClient
) -> None:
    async with new_browser(lab_server) as stranger:
        cookie = (await stranger.post(LOGIN, json=BOB)).headers.get_list("set-cookie")[-1]
        assert cookie.startswith("pyk8s_device=")
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        mark = stranger.cookies["pyk8s_device"]
        assert (await stranger.post(LOGIN, json=BOB)).status_code == 200
        assert stranger.cookies["pyk8s_device"] == mark, "one device is one device"
        for _ in range(FREE_TRIES):
            problem(await stranger.post(LOGIN, json=WRONG), 401, "wrong_credentials")
        problem(await stranger.post(LOGIN, json=ANN), 429, "too_many_attempts")
        for _ in range(FREE_TRIES):
            problem(await ann.post(LOGIN, json=WRONG), 401, "wrong_credentials")
        problem(await ann.post(LOGIN, json=ANN), 429, "too_many_attempts")


async def test_a_flood_of_registrations_leaves_sign_ins_alone(
    lab_server: LabServer, ann: httpx.AsyncClient
) -> None:
    """From the same address, as behind a reverse proxy."""
    async with new_browser(lab_server) as fresh:
        flood = [
            asyncio.create_task(
                post(lab_server, REGISTER, {**ANN, "username": f"stranger{number}"})
            )
            for number in range(500)
        ]
        while not any(task.done() for task in flood):
            await asyncio.sleep(0.01)
        honest = await asyncio.gather(sign_in(fresh, BOB), sign_in(ann, ANN))
        answers = await asyncio.gather(*flood)
    assert [answer.status_code for answer in honest] == [200, 200]
    assert set(answers) <= {(201, ""), (503, "sign_in_busy"), (503, "unavailable")}
    assert (503, "sign_in_busy") in answers, "the line has an end"


@pytest.mark.parametrize(
    ("signup", "status", "code"), [("open", 409, "username_taken"), ("auto", 403, "signup_closed")]
)
async def test_what_can_be_refused_is_not_hashed(
    settings: Settings, signup: str, status: int, code: str
) -> None:
    async def hashed(*_: object) -> str:
        raise AssertionError("a password was hashed")

    async with (
        serving(settings.model_copy(update={"signup": signup})) as server,
        new_browser(server) as browser,
    ):
        assert (await browser.post(REGISTER, json=ANN)).status_code == 201
        server.state["passwords"].hash = hashed  # type: ignore[method-assign, assignment]
        problem(await browser.post(REGISTER, json=ANN), status, code)
