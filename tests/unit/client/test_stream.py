"""Dropped connections, repeats, gaps, refusals: against a real WebSocket server with a script."""

import asyncio
import http
import json
from collections.abc import Callable
from typing import cast

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from pyk8s import (
    Connected,
    Forbidden,
    GapDetected,
    Misunderstood,
    Reconnecting,
    StreamRefused,
    StreamState,
    Unauthenticated,
    Unreachable,
)
from pyk8s.client.config import Endpoint
from pyk8s.client.frames import Reader
from pyk8s.client.stream import _frame, follow
from pyk8s.wire.frames import SUBPROTOCOL
from tests.unit.client.scripted import (
    CLUSTER_ID,
    EPOCH,
    Act,
    Conversation,
    Pauses,
    event,
    scripted,
)

TOPIC = f"cluster:{CLUSTER_ID}"


async def collect(
    url: str,
    pauses: Pauses,
    *,
    after: int = 0,
    on_state: Callable[[StreamState], None] | None = None,
) -> list[int]:
    reader = Reader(TOPIC, after=after, epoch=EPOCH)
    endpoint = Endpoint(url, "secret")
    stream = follow(endpoint, reader, backoff=pauses.backoff(), on_state=on_state)
    return [item.seq async for item in stream]


def closing(code: int, *seqs: int, reason: str = "") -> Act:
    async def act(talk: Conversation) -> None:
        if seqs:
            await talk.events(*[event(seq) for seq in seqs])
        await talk.socket.close(code, reason)

    return act


def ending(*seqs: int) -> Act:
    async def act(talk: Conversation) -> None:
        await talk.events(*[event(seq) for seq in seqs])
        await talk.end(seqs[-1])

    return act


async def dropped(talk: Conversation) -> None:
    talk.socket.transport.abort()


async def test_it_subscribes_with_the_cursor_and_the_token_and_stops_at_the_end(
    pauses: Pauses,
) -> None:
    async with scripted([ending(4, 5, 6)]) as script:
        assert await collect(script.url, pauses, after=3) == [4, 5, 6]
    assert script.heard == [{"type": "subscribe", "topic": TOPIC, "after": 3, "epoch": EPOCH}]
    assert script.authorizations == ["Bearer secret"]


@pytest.mark.parametrize("drop_after", range(6))
async def test_a_drop_at_any_frame_loses_and_repeats_nothing(
    drop_after: int, pauses: Pauses
) -> None:
    async def first(talk: Conversation) -> None:
        for seq in range(1, drop_after + 1):
            await talk.events(event(seq))
        await dropped(talk)

    async def second(talk: Conversation) -> None:
        cursor = int(talk.subscription["after"])
        assert cursor <= drop_after
        # Repeats what the client may have missed, and one too many.
        await talk.events(*[event(seq) for seq in range(max(1, cursor), 7)])
        await talk.end(6)

    async with scripted([first, second]) as script:
        assert await collect(script.url, pauses) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 4000, 4408, 4429, 4499])
async def test_these_close_codes_mean_come_back_with_the_cursor(code: int, pauses: Pauses) -> None:
    states: list[StreamState] = []
    async with scripted([closing(code, 1, 2, reason="restart"), ending(3)]) as script:
        assert await collect(script.url, pauses, on_state=states.append) == [1, 2, 3]
    assert [heard["after"] for heard in script.heard] == [0, 2]
    assert states == [Reconnecting(1, 0.125, "restart"), Connected()]


@pytest.mark.parametrize("code", [4500, 4501, 4503, 4504, 4510, 4999, 1008, 1009])
async def test_these_close_codes_mean_stop(code: int, pauses: Pauses) -> None:
    async with scripted([closing(code, 1)]) as script:
        with pytest.raises(StreamRefused) as caught:
            await collect(script.url, pauses)
    assert caught.value.code == code
    assert str(caught.value)
    assert pauses.asked == []


async def test_the_pauses_grow_until_there_is_progress_again(pauses: Pauses) -> None:
    acts = [closing(1012), closing(1012), closing(1012, 1), closing(1012), ending(2)]
    async with scripted(acts) as script:
        assert await collect(script.url, pauses) == [1, 2]
    assert pauses.asked == [0.125, 0.25, 0.125, 0.25], "half of 0.25, 0.5, then anew"


async def test_a_goaway_adds_the_pause_that_the_server_asks_for(pauses: Pauses) -> None:
    async def leaving(talk: Conversation) -> None:
        await talk.events(event(1))
        await talk.say(type="goaway", retry_after_ms=3000)
        await talk.socket.close(1012)

    async with scripted([leaving, ending(2)]) as script:
        assert await collect(script.url, pauses) == [1, 2]
    assert pauses.asked == [3.125]


async def test_a_gap_is_a_bug_and_said_so(pauses: Pauses) -> None:
    async def act(talk: Conversation) -> None:
        await talk.events(event(1), event(3))
        await talk.socket.wait_closed()

    async with scripted([act]) as script:
        with pytest.raises(GapDetected) as caught:
            await collect(script.url, pauses)
    assert (caught.value.last, caught.value.received) == (1, 3)


async def test_a_server_that_stays_away_is_given_up(pauses: Pauses) -> None:
    async with scripted([closing(1012, 1)]) as script:
        url = script.url
        reader = Reader(TOPIC, after=0, epoch=EPOCH)
        stream = follow(Endpoint(url, None), reader, backoff=pauses.backoff(), patience_seconds=5)
        assert (await anext(stream)).seq == 1
    with pytest.raises(Unreachable, match="did not come back"):
        await anext(stream)
    assert 5 < sum(pauses.asked) < 20


def refusing(status: int, body: bytes = b"") -> Callable[[ServerConnection, Request], Response]:
    def process(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(http.HTTPStatus(status), body.decode())

    return process


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthenticated), (403, Forbidden), (404, Misunderstood)]
)
async def test_a_refusal_before_the_stream_is_an_exception_of_its_kind(
    status: int, kind: type[Exception], pauses: Pauses
) -> None:
    async def never(_: ServerConnection) -> None:
        raise AssertionError

    async with serve(never, "127.0.0.1", 0, process_request=refusing(status)) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(kind):
            await collect(f"http://127.0.0.1:{port}", pauses)


async def test_a_server_that_is_not_ready_is_tried_again(pauses: Pauses) -> None:
    answers = [503, 502]

    def process(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(http.HTTPStatus(answers.pop(0)), "") if answers else None

    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps({"type": "end", "topic": TOPIC, "seq": 0}))
        await socket.wait_closed()

    async with serve(
        handler, "127.0.0.1", 0, process_request=process, subprotocols=[Subprotocol(SUBPROTOCOL)]
    ) as server:
        port = server.sockets[0].getsockname()[1]
        assert await collect(f"http://127.0.0.1:{port}", pauses) == []
    assert len(pauses.asked) == 2


async def test_another_websocket_server_is_called_a_stranger(pauses: Pauses) -> None:
    async def echo(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("hello?")

    async with serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Misunderstood):
            await collect(f"http://127.0.0.1:{port}", pauses)


class OneFrame:
    """A socket whose frame comes when the test says so."""

    def __init__(self) -> None:
        self.frame: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def recv(self) -> str:
        return await self.frame


@pytest.mark.parametrize("turns", range(5))
async def test_an_end_that_comes_together_with_a_frame_is_not_forgotten(turns: int) -> None:
    """Ctrl-C while the server speaks: whatever the event loop does first, it ends."""
    socket = OneFrame()
    reader = Reader(TOPIC, after=0, epoch=EPOCH)
    task = asyncio.create_task(_frame(cast("ClientConnection", socket), reader))
    await asyncio.sleep(0)
    socket.frame.set_result("{}")
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        assert await task == "{}"
