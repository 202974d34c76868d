"""Who listens for long, over the WebSocket, SSE or a followed log: the same rules for all."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from server.api import audience, streams
from server.config import Settings
from tests.integration.by_hand import peer
from tests.integration.conftest import Caller, LabServer, serving, sign_up

SSE = {"Accept": "text/event-stream"}
STREAMS = 3


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A server that allows few streams."""
    return settings.model_copy(update={"streams_per_user": STREAMS})


@asynccontextmanager
async def listening(caller: Caller, path: str) -> AsyncIterator[httpx.Response]:
    """Ask for a long answer, and wait until it has begun."""
    async with asyncio.timeout(30), caller.http.stream("GET", path, headers=SSE) as answer:
        yield answer


async def first_piece(answer: httpx.Response) -> str:
    async for piece in answer.aiter_text():
        return piece
    return ""


async def hung(caller: Caller) -> str:
    """Make a cluster that stays as it is; give the beginning of its paths."""
    cluster = await caller.create(labels={"simulate": "hang"})
    path = f"/api/v1/clusters/{cluster['id']}"
    async with asyncio.timeout(30):
        while not (await caller.http.get(f"{path}/log")).text:
            await asyncio.sleep(0.05)
    return path


async def test_all_kinds_of_streams_count_together(ann: Caller, lab_server: LabServer) -> None:
    path = await hung(ann)
    kinds = (f"{path}/events", f"{path}/log?follow=1")
    async with AsyncExitStack() as stack:
        hello = json.loads(await (await stack.enter_async_context(raw_stream(ann))).recv())
        assert hello["limits"]["max_streams"] == STREAMS
        for kind in kinds:
            answer = await stack.enter_async_context(listening(ann, kind))
            assert answer.status_code == 200
        for kind in kinds:
            refused = await ann.http.get(kind, headers=SSE)
            assert refused.status_code == 429
            assert refused.json()["code"] == "too_many_sockets"
            assert int(refused.headers["retry-after"]) >= 1
        with pytest.raises(InvalidStatus) as denied:
            async with raw_stream(ann):
                pass
        assert denied.value.response.status_code == 429
        # What does not stay is no stream.
        assert (await ann.http.get(f"{path}/events")).status_code == 200
        assert (await ann.http.get(f"{path}/log")).status_code == 200
        assert (await ann.http.head(kinds[0], headers=SSE)).status_code == 200
    async with asyncio.timeout(10):
        await lab_server.state["streams"].emptied()


def raw_stream(caller: Caller) -> connect:
    return connect(
        caller.base_url.replace("http", "ws") + "/api/v1/stream",
        subprotocols=[Subprotocol("pyk8s.v1")],
        additional_headers={"Authorization": f"Bearer {caller.token}"},
        proxy=None,
    )


@pytest.mark.parametrize("ending", ["revoked", "expired"])
async def test_a_credential_that_ends_ends_its_answers(
    ann: Caller, lab_server: LabServer, ending: str
) -> None:
    path = await hung(ann)
    wish = {"name": "short", "scopes": ["clusters:read"]}
    made = (await ann.http.post("/api/v1/tokens", json=wish)).json()
    if ending == "expired":
        async with lab_server.state["database"].transaction() as session:
            soon = "UPDATE tokens SET expires_at = now() + interval '3 s' WHERE id = :id"
            await session.execute(text(soon), {"id": made["id"]})
    async with httpx.AsyncClient(
        base_url=ann.base_url,
        trust_env=False,
        headers={"Authorization": f"Bearer {made['token']}"},
    ) as http:
        other = Caller(http, made["token"], ann.base_url)
        async with (
            listening(other, f"{path}/events") as events,
            listening(other, f"{path}/log?follow=1") as log,
        ):
            if ending == "revoked":
                await ann.http.delete(f"/api/v1/tokens/{made['id']}")
            # The look every 30 s would be too late.
            async with asyncio.timeout(10):
                assert "event: created" in (await events.aread()).decode()
                with pytest.raises(httpx.RemoteProtocolError):  # it is not the whole log
                    await log.aread()


async def test_a_stop_ends_sse_in_good_order_and_cuts_a_log_off(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        async with serving(settings) as server:
            ann = await stack.enter_async_context(signed_up(server))
            path = await hung(ann)
            events = await stack.enter_async_context(listening(ann, f"{path}/events"))
            log = await stack.enter_async_context(listening(ann, f"{path}/log?follow=1"))
            told = [events.aiter_text(), log.aiter_text()]
            first = [await anext(text) for text in told]
            began = asyncio.get_running_loop().time()
        took = asyncio.get_running_loop().time() - began
        # Whole to the last chunk, else httpx raises RemoteProtocolError.
        rest = "".join([piece async for piece in told[0]])
        assert (first[0] + rest).endswith("\n\n")
        # A log has no mark at its end: it would look like that of a cluster that was deleted.
        with pytest.raises(httpx.RemoteProtocolError):
            rest = "".join([piece async for piece in told[1]])
        assert first[1].endswith("\n")
    assert took < 6, "the grace of 8 s for answers that do not end was waited for"


@asynccontextmanager
async def signed_up(server: LabServer) -> AsyncIterator[Caller]:
    caller = await sign_up(server, "ann")
    async with caller.http:
        yield caller


async def test_a_reader_that_takes_nothing_is_hung_up_on(
    ann: Caller, lab_server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "SEND_SECONDS", 0.5)
    monkeypatch.setattr(audience, "LAST_SECONDS", 0.5)
    cluster = await ann.create(labels={"simulate": "flood:6000:0"})
    path = f"/api/v1/clusters/{cluster['id']}"
    async with AsyncExitStack() as stack:
        for asked in (f"{path}/log?follow=1", f"{path}/events"):
            slow = await stack.enter_async_context(peer(ann.base_url, receive_buffer=4096))
            head = f"GET {asked} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
            await slow.send(f"{head}Authorization: Bearer {ann.token}\r\n\r\n".encode())
            await slow.head()
        async with asyncio.timeout(20):
            await lab_server.state["streams"].emptied()


async def test_a_filter_names_types_that_exist(ann: Caller) -> None:
    path = f"{await hung(ann)}/events"
    for headers in ({}, SSE):
        refused = await ann.http.get(f"{path}?types=log_line,step_begun", headers=headers)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "types"
        assert "no such type: step_begun" in refused.text
        assert "step_started" in refused.text


async def test_the_id_of_a_filtered_stream_moves_on(ann: Caller) -> None:
    """Else all that was left out would be read again at each reconnect."""
    cluster = await ann.create(labels={"simulate": "flood:300:0"})
    path = f"/api/v1/clusters/{cluster['id']}/events?types=note"
    ready = await ann.until(cluster["id"], "ready")
    async with listening(ann, path) as answer:
        told = ""
        async for piece in answer.aiter_text():
            told += piece
            if ": up to date" in told and told.endswith(f"id: {ready['last_seq']}\n\n"):
                break
    ids = [int(line[4:]) for line in told.splitlines() if line.startswith("id: ")]
    assert ids == sorted(ids)
    assert "data:" not in told


async def test_a_log_goes_on_after_a_cursor(ann: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "flood:50:0"})
    path = f"/api/v1/clusters/{cluster['id']}"
    await ann.until(cluster["id"], "ready")
    page = (await ann.http.get(f"{path}/events?types=log_line&limit=20")).json()
    whole = (await ann.http.get(f"{path}/log")).text
    rest = (await ann.http.get(f"{path}/log?after={page['next_after']}")).text
    assert whole.endswith(rest)
    assert whole.count("\n") == rest.count("\n") + 20
    async with listening(ann, f"{path}/log?follow=1&after={page['next_after']}") as answer:
        followed = ""
        async for piece in answer.aiter_text():
            followed += piece
            if len(followed) >= len(rest):
                break
    assert followed == rest
