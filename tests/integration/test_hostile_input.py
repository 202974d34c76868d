"""Whatever a client sends: no parameter of any route is answered with a defect of the server."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from pyk8s.wire.accounts import Scope
from server.api.endpoint import Endpoint
from server.api.openapi import document
from server.api.routes import ENDPOINTS
from server.api.terminal_socket import TerminalQuery
from tests.integration import hostile
from tests.integration.conftest import Caller, sign_up
from tests.integration.everything import World, ask_everything, settings, world
from tests.integration.hostile import Shot, shots

__all__ = ["settings", "world"]

AT_ONCE = 6
INTERNAL_ERROR = 1011
"""The close code of a WebSocket whose server has a defect (RFC 6455, 7.4.1)."""


async def fire(http: httpx.AsyncClient, some: Iterable[Shot]) -> list[str]:
    """Send each request; return those that met a defect."""
    failures: list[str] = []
    places = asyncio.Semaphore(AT_ONCE)

    async def one(shot: Shot) -> None:
        async with places:
            try:
                answer = await http.request(
                    shot.endpoint.method,
                    shot.url,
                    content=shot.content,
                    headers=list(shot.headers),
                )
            except httpx.RemoteProtocolError:
                return  # refused and hung up on while the body was still being sent
            except httpx.WriteError:
                return
            if answer.status_code >= 500:
                failures.append(f"{answer.status_code}: {shot}: {answer.text[:200]}")

    async with asyncio.TaskGroup() as tasks:
        for shot in some:
            tasks.create_task(one(shot))
    return failures


def defects(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of defects: tracebacks, whoever wrote them."""
    out, err = capfd.readouterr()
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    return [*told, *(text[-3000:] for text in (out, err) if "Traceback" in text)]


@pytest.mark.timeout(600)
async def test_no_parameter_meets_a_defect(
    world: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    every = list(shots(world.path))
    assert await fire(world.ann.http, every) == []
    assert defects(capfd, caplog) == []
    fired = {(shot.endpoint.name, *shot.parameter) for shot in every if shot.parameter[1]}
    assert fired == _described()
    # What it was all fired at is still there: it has not tested the answer to what is not.
    assert await _controls(world) == []


def _described() -> set[tuple[str, str, str]]:
    """Return the parameters that the published description has: the table's other reader."""
    described = document()
    found: set[tuple[str, str, str]] = set()
    for operations in described["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            for parameter in operation.get("parameters", ()):
                found.add((name, parameter["in"], parameter["name"]))
            content = operation.get("requestBody", {}).get("content", {})
            ref = content.get("application/json", {}).get("schema", {}).get("$ref", "")
            schema = described["components"]["schemas"].get(ref.rpartition("/")[2], {})
            found |= {(name, "body", each) for each in schema.get("properties", ())}
    return found


async def _controls(world: World) -> list[str]:
    """Ask every route for what it is for; return those that did not do it."""
    return [
        f"{each.endpoint.method} {each.url}: {each.answer.status_code} {each.answer.text[:200]}"
        async for each in ask_everything(world)
        if not 200 <= each.answer.status_code < 400
    ]


async def test_the_net_sees_a_handler_that_is_broken(
    world: World,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("server.store.accounts.tokens_of", broken)
    some = [
        shot
        for shot in shots(world.path)
        if shot.endpoint.name == "accounts_list_tokens" and shot.parameter == ("query", "limit")
    ]
    assert await fire(world.ann.http, some) == []
    assert await fire(world.ann.http, [Shot(some[0].endpoint, ("query", ""), "/api/v1/tokens")])
    assert any("a defect" in told for told in defects(capfd, caplog))


async def _closing(url: str, protocol: str, token: str, frame: str | bytes) -> int:
    """Send one frame; return how the connection was closed, or 0 if it was not."""
    async with connect(
        url,
        subprotocols=[Subprotocol(protocol)],
        additional_headers={"Authorization": f"Bearer {token}"},
        max_size=None,
        proxy=None,
        close_timeout=1,
    ) as socket:
        try:
            await socket.recv()
            await socket.send(frame)
            await socket.send('{"type":"ping","nonce":"are you there"}')
            async with asyncio.timeout(20):
                while "are you there" not in str(await socket.recv()):
                    pass
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
    return 0


@pytest.mark.timeout(600)
async def test_no_frame_meets_a_defect(
    world: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    base = world.ann.base_url.replace("http", "ws") + "/api/v1"
    cluster = world.path["id_or_name"]
    places = asyncio.Semaphore(AT_ONCE)
    codes: dict[str, int] = {}

    async def one(url: str, protocol: str, frame: str | bytes) -> None:
        async with places:
            codes[f"{protocol} {frame[:80]!r}"] = await _closing(
                url, protocol, world.ann.token, frame
            )

    session = f"{base}/clusters/{cluster}/terminal?session={world.path['terminal_id']}"
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one(f"{base}/stream", "pyk8s.v1", b"\x00\xff"))
        for frame in hostile.FRAMES:
            sent = frame.replace("TOPIC", f"cluster:{cluster}")
            tasks.create_task(one(f"{base}/stream", "pyk8s.v1", sent))
        for frame in hostile.TERMINAL_FRAMES:
            tasks.create_task(one(session, "pyk8s.terminal.v1", frame))
    assert {told: code for told, code in codes.items() if code in {INTERNAL_ERROR, 1006}} == {}
    assert defects(capfd, caplog) == []


async def test_no_query_of_a_terminal_meets_a_defect(
    world: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    base = world.ann.base_url.replace("http", "ws") + "/api/v1/clusters"
    for name in TerminalQuery.model_fields:
        for value in hostile.TEXTS:
            query = f"{name}={quote(value, safe='')}"
            url = f"{base}/{world.path['id_or_name']}/terminal?{query}"
            with pytest.raises(InvalidStatus) as refused:
                await connect(
                    url,
                    subprotocols=[Subprotocol("pyk8s.terminal.v1")],
                    additional_headers={"Authorization": f"Bearer {world.ann.token}"},
                    proxy=None,
                )
            assert refused.value.response.status_code == 422, query
    assert defects(capfd, caplog) == []


async def test_headers_that_every_route_reads(
    world: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with httpx.AsyncClient(
        base_url=world.ann.base_url, trust_env=False, timeout=30
    ) as stranger:
        for name in (
            *("Authorization", "Cookie", "Origin", "Sec-Fetch-Site", "User-Agent", "Accept"),
            *("Content-Type", "Accept-Encoding", "If-None-Match", "Range", "X-Forwarded-For"),
        ):
            for value in (
                *hostile.HEADERS,
                b"Bearer",
                b"Bearer pyk8s_\xe9",
                b"Bearer pyk8s_" + b"x" * 5000,
                b'pyk8s_session="\\000\\777\\"',
                b"pyk8s_session=" + b"x" * 5000,
                b";;=;\xff=\xff;",
            ):
                headers = [(name.encode(), value)]
                for method, path in (("GET", "/api/v1/auth/me"), ("POST", "/api/v1/auth/login")):
                    answer = await stranger.request(method, path, headers=headers)
                    assert answer.status_code < 500, (name, value)
    assert defects(capfd, caplog) == []


def _url(endpoint: Endpoint, path: dict[str, str]) -> str:
    return endpoint.path.format(**path)


async def test_who_may_call_what(world: World) -> None:
    """Every route for a stranger, for another user, for tokens that ended, for each scope alone."""
    ann, path = world.ann, world.path
    bob = await sign_up(world.server, "bob")
    nothing = {**path, **{name: str(uuid4()) for name in path if name.endswith(("_id", "_name"))}}
    protected = [each for each in ENDPOINTS if not each.public]
    tokens: dict[Scope, str] = {}
    for scope in Scope:
        wish = {"name": scope.value, "scopes": [scope.value]}
        tokens[scope] = (await ann.http.post("/api/v1/tokens", json=wish)).json()["token"]
    revoked = (await ann.http.post("/api/v1/tokens", json=wish)).json()
    await ann.http.delete(f"/api/v1/tokens/{revoked['id']}")
    expired = (await ann.http.post("/api/v1/tokens", json=wish)).json()
    async with world.server.state["database"].transaction() as session:
        await session.execute(
            text("UPDATE tokens SET expires_at = now() WHERE id = :id"),
            {"id": UUID(expired["id"])},
        )
    wrong: list[str] = []
    async with (
        bob.http,
        httpx.AsyncClient(base_url=ann.base_url, trust_env=False, timeout=30) as stranger,
    ):
        theirs = {**path, "id_or_name": (await bob.create(name="bobs"))["id"]}
        for endpoint in protected:
            url = _url(endpoint, path)
            told = f"{endpoint.method} {endpoint.path}"
            for ended in (None, revoked["token"], expired["token"]):
                headers = {} if ended is None else {"Authorization": f"Bearer {ended}"}
                answer = await stranger.request(endpoint.method, url, headers=headers)
                if answer.status_code != 401:
                    wrong.append(f"{told}: {answer.status_code} for whom nobody knows")
            needed = endpoint.scope
            for scope, token in tokens.items():
                if endpoint.handler.__name__ == "logout":
                    continue  # it ends the token
                headers = {"Authorization": f"Bearer {token}"}
                answer = await stranger.request(
                    endpoint.method, _url(endpoint, nothing), headers=headers
                )
                may = needed in {None, scope}
                if may == (answer.status_code in {401, 403}):
                    wrong.append(f"{told}: {answer.status_code} with {scope}")
            if "{" in endpoint.path:
                wrong += await _is_nothing_to(bob, endpoint, path, theirs, nothing)
    assert wrong == []


async def _is_nothing_to(
    bob: Caller,
    endpoint: Endpoint,
    path: dict[str, str],
    theirs: dict[str, str],
    nothing: dict[str, str],
) -> list[str]:
    """Compare what another user is told of ann's things and of what never was, byte for byte."""
    sent: dict[str, Any] = {}
    if isinstance(endpoint.body, type):
        sent["json"] = hostile.VALID[endpoint.body]
    elif endpoint.body is not None:
        sent = {"content": b"x", "headers": {"Content-Type": "application/x-tar"}}
    told = f"{endpoint.method} {endpoint.path}"
    wrong: list[str] = []
    unknown = {**nothing, "id_or_name": theirs["id_or_name"]}
    pairs = [(path, nothing)]
    if "_id}" in endpoint.path and "{id_or_name}" in endpoint.path:
        pairs.append((theirs, unknown))  # a thing of ann's under a cluster of bob's
    for hers, nobodys in pairs:
        first = await bob.http.request(endpoint.method, _url(endpoint, hers), **sent)
        second = await bob.http.request(endpoint.method, _url(endpoint, nobodys), **sent)
        if first.status_code != 404 or first.content != second.content:
            wrong.append(f"{told}: {first.status_code} {first.text[:100]} {second.text[:100]}")
    return wrong
