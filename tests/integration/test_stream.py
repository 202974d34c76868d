"""The WebSocket: handshake, refusals, close codes, credentials that end."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from tests.integration.conftest import Caller, LabServer, serving, sign_up

NOBODYS = "018f0000-0000-7000-8000-00000000ffff"
PROTOCOL = [Subprotocol("pyk8s.v1")]


def url(server: LabServer) -> str:
    return server.base_url.replace("http", "ws") + "/api/v1/stream"


async def cookie_of(caller: Caller, server: LabServer, name: str) -> str:
    answer = await caller.http.post(
        "/api/v1/auth/login",
        json={"username": name, "password": "correct horse battery"},
        headers={"Authorization": ""},
    )
    return f"pyk8s_session={answer.cookies['pyk8s_session']}"


async def frame(socket: Any) -> dict[str, Any]:
    async with asyncio.timeout(10):
        received: dict[str, Any] = json.loads(await socket.recv())
        return received


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://evil.example", "SELF.evil.example", "SELF/", "https://localhost"],
)
async def test_a_page_of_another_site_is_refused_before_the_handshake(
    ann: Caller, lab_server: LabServer, origin: str | None
) -> None:
    cookie = await cookie_of(ann, lab_server, "ann")
    sent = None if origin is None else Origin(origin.replace("SELF", lab_server.origin))
    with pytest.raises(InvalidStatus) as refused:
        await connect(
            url(lab_server),
            origin=sent,
            subprotocols=PROTOCOL,
            additional_headers={"Cookie": cookie},
            proxy=None,
        )
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["code"] == "cross_origin"


async def test_our_own_page_is_let_in(ann: Caller, lab_server: LabServer) -> None:
    cookie = await cookie_of(ann, lab_server, "ann")
    async with connect(
        url(lab_server),
        origin=Origin(lab_server.origin),
        subprotocols=PROTOCOL,
        additional_headers={"Cookie": cookie},
        proxy=None,
    ) as socket:
        assert (await frame(socket))["type"] == "hello"
        assert socket.subprotocol == "pyk8s.v1"


async def test_nobody_and_wrong_protocols_are_refused(ann: Caller, lab_server: LabServer) -> None:
    for headers, protocols, status in (
        ({}, PROTOCOL, 401),
        ({"Authorization": "Bearer pyk8s_wrong"}, PROTOCOL, 401),
        ({"Authorization": f"Bearer {ann.token}"}, [Subprotocol("other")], 422),
        ({"Authorization": f"Bearer {ann.token}"}, None, 422),
    ):
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                url(lab_server), subprotocols=protocols, additional_headers=headers, proxy=None
            )
        assert refused.value.response.status_code == status


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("{", 4500),
        ('{"type":"dance"}', 4500),
        ('{"type":"subscribe","topic":"clusters","colour":"blue"}', 4500),
        ('{"type":"subscribe","topic":"cluster:x","after":-1}', 4500),
        (b"\x00", 4500),
        ('{"type":"subscribe","topic":"weather"}', 4504),
        ('{"type":"subscribe","topic":"cluster:x"}', 4504),
        (f'{{"type":"subscribe","topic":"cluster:{NOBODYS}"}}', 4504),
        (f'{{"type":"subscribe","topic":"clusters","epoch":"{NOBODYS}"}}', 4510),
    ],
)
async def test_close_codes_tell_what_to_do(ann: Caller, sent: str | bytes, code: int) -> None:
    async with ann.stream() as socket:
        await socket.send(sent)
        told = await frame(socket)
        assert told["type"] == "error"
        assert told["detail"]
        with pytest.raises(ConnectionClosed) as closed:
            await frame(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


async def test_a_position_that_the_log_has_not_reached(ann: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "hang"})
    async with ann.stream() as socket:
        ask = {"type": "subscribe", "topic": f"cluster:{cluster['id']}", "after": 10_000}
        await socket.send(json.dumps(ask))
        assert (await frame(socket))["code"] == "unknown_position"


async def test_the_same_over_http(ann: Caller) -> None:
    """Else what comes between the end of the log and the cursor would be missed without a word."""
    cluster = await ann.create(labels={"simulate": "hang"})
    path = f"/api/v1/clusters/{cluster['id']}"
    assert (await ann.http.get(f"{path}/events?epoch={cluster['epoch']}")).status_code == 200
    sse = {"Accept": "text/event-stream"}
    for asked, headers in (
        ("events?after=10000", {}),
        ("events?after=10000", sse),
        ("events", {**sse, "Last-Event-ID": "10000"}),
        ("log?after=10000", {}),
        ("log?after=10000&follow=1", {}),
        (f"events?epoch={NOBODYS}", {}),
        (f"events?epoch={NOBODYS}", sse),
    ):
        refused = await ann.http.get(f"{path}/{asked}", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (410, "unknown_position"), asked
        assert "after=0" in refused.json()["fix"]


async def test_an_address_of_a_websocket_is_no_page(ann: Caller) -> None:
    for path in ("/api/v1/stream", f"/api/v1/clusters/{NOBODYS}/terminal"):
        refused = await ann.http.get(path)
        assert (refused.status_code, refused.json()["code"]) == (426, "upgrade_required")
        assert refused.headers["upgrade"] == "websocket"


async def test_a_topic_has_one_spelling(ann: Caller) -> None:
    """Else its events would come under another topic than the one that was asked for."""
    cluster = await ann.create(labels={"simulate": "hang"})
    own = cluster["id"]
    for spelling in (own.upper(), own.replace("-", ""), f"{{{own}}}", f"urn:uuid:{own}"):
        async with ann.stream() as socket:
            ask = {"type": "subscribe", "topic": f"cluster:{spelling}"}
            await socket.send(json.dumps(ask))
            assert (await frame(socket))["code"] == "no_such_topic", spelling


async def test_nobody_follows_what_belongs_to_others(ann: Caller, bob: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "hang"})
    async with bob.stream() as socket:
        topic = f"cluster:{cluster['id']}"
        await socket.send(json.dumps({"type": "subscribe", "topic": topic}))
        assert (await frame(socket))["code"] == "no_such_topic"


async def test_snapshot_then_live_on_both_topics(ann: Caller) -> None:
    first = await ann.create(name="first")
    await ann.until("first", "ready")
    async with ann.stream() as socket:
        await socket.send(json.dumps({"type": "ping", "nonce": "n1"}))
        assert await frame(socket) == {"type": "pong", "nonce": "n1"}
        await socket.send(json.dumps({"type": "subscribe", "topic": "clusters"}))
        snapshot = await frame(socket)
        assert [cluster["id"] for cluster in snapshot["clusters"]] == [first["id"]]
        topic = f"cluster:{first['id']}"
        await socket.send(json.dumps({"type": "subscribe", "topic": topic}))
        own = await frame(socket)
        assert own["topic"] == topic
        assert own["seq"] == own["cluster"]["last_seq"]
        assert (await frame(socket))["type"] == "bookmark"
        await ann.http.delete("/api/v1/clusters/first")
        seqs, heard = [], []
        while True:
            got = await frame(socket)
            if got["topic"] == topic and got["type"] == "events":
                seqs += [event["seq"] for event in got["events"]]
            if got["topic"] == "clusters":
                heard += got["events"]
            if got["type"] == "end":
                break
        assert seqs == list(range(own["seq"] + 1, seqs[-1] + 1))
        while not any(event["data"].get("to") == "deleted" for event in heard):
            heard += (await frame(socket)).get("events", [])
        assert {event["cluster_id"] for event in heard} == {first["id"]}
        assert all(event["type"] != "log_line" for event in heard)


async def test_unsubscribe_and_subscribe_again(ann: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "hang"})
    topic = f"cluster:{cluster['id']}"
    async with ann.stream() as socket:
        for _ in range(3):
            await socket.send(json.dumps({"type": "subscribe", "topic": topic}))
            while (await frame(socket))["type"] != "bookmark":
                pass
            await socket.send(json.dumps({"type": "subscribe", "topic": topic}))
            while (got := await frame(socket))["type"] != "error":
                pass
            assert got["code"] == "already_subscribed"
            await socket.send(json.dumps({"type": "unsubscribe", "topic": topic}))


async def test_after_the_pong_nothing_comes_of_what_was_left(ann: Caller) -> None:
    """Who comes back to a topic from another place must be able to tell the old frames."""
    cluster = await ann.create(labels={"simulate": "flood:4000:0"})
    await ann.until(cluster["id"], "ready")
    topic = f"cluster:{cluster['id']}"
    async with ann.stream() as socket:
        for number in range(25):
            await socket.send(json.dumps({"type": "subscribe", "topic": topic, "after": 0}))
            for _ in range(number % 5):
                assert (await frame(socket))["topic"] == topic
            await socket.send(json.dumps({"type": "unsubscribe", "topic": topic}))
            await socket.send(json.dumps({"type": "ping", "nonce": str(number)}))
            while (got := await frame(socket))["type"] != "pong":
                assert got["topic"] == topic
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    pytest.fail(f"after the pong: {await socket.recv()!r:.200}")


async def test_a_revoked_token_closes_its_stream(ann: Caller, lab_server: LabServer) -> None:
    wish = {"name": "short", "scopes": ["clusters:read"]}
    made = (await ann.http.post("/api/v1/tokens", json=wish)).json()
    other = Caller(ann.http, made["token"], ann.base_url)
    async with other.stream() as socket:
        await ann.http.delete(f"/api/v1/tokens/{made['id']}")
        assert (await frame(socket))["code"] == "unauthenticated"
        with pytest.raises(ConnectionClosed) as closed:
            await frame(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4501


async def test_too_many_frames_and_streams(ann: Caller) -> None:
    async with ann.stream() as socket:
        with pytest.raises(ConnectionClosed) as closed:
            for number in range(1000):
                await socket.send(json.dumps({"type": "ping", "nonce": str(number)}))
                await frame(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4429


async def test_the_server_says_goaway(settings: Any) -> None:

    async with serving(settings) as server:
        caller = await sign_up(server, "ann")
        context = caller.stream()
        socket = await context.__aenter__()
    seen: list[str] = []
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            seen.append((await frame(socket))["type"])
    assert seen == ["goaway"]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    await caller.http.aclose()
