"""Requests that have not come whole: all of a port together take no more than they may."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import pytest

from server import __main__ as server_main
from server.config import Settings
from server.proxy import listener as proxy_listener
from server.transport import guarded_http
from server.transport.unfinished import Unfinished
from tests.faults.site import eventually
from tests.integration.by_hand import Peer
from tests.integration.listeners import API, LISTENERS, listeners, statuses_in

KIB: Final = 1024
MAX_BYTES: Final = 600 * KIB
GREEDY: Final = 20
PIECE: Final = b"A: " + b"a" * 9_000 + b"\r\n"
HEAD: Final = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
LARGE: Final[dict[str, bytes]] = {
    "long lines": HEAD + PIECE * 6,
    "a line without end": HEAD + b"A: " + b"a" * 54_000,
    "many headers": HEAD + b"a:b\r\n" * 240,
    "bodies": HEAD
    + b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
    + b" " * 54_000,
}


@pytest.mark.parametrize(
    ("listener", "kind"),
    [(each, "long lines") for each in LISTENERS] + [(API, kind) for kind in [*LARGE][1:]],
)
async def test_those_that_take_most_are_ended(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, listener: str, kind: str
) -> None:
    for module in (server_main, proxy_listener):
        monkeypatch.setattr(module, "Unfinished", partial(Unfinished, MAX_BYTES))
    for name in ("HEAD_SECONDS", "BODY_SECONDS"):
        monkeypatch.setattr(guarded_http, name, 300.0)
    async with listeners(settings) as site, AsyncExitStack() as opened:
        usual = await opened.enter_async_context(site.connected(listener))
        await usual.send(HEAD + b"A: b\r\n" * 10)
        greedy: list[Peer] = []
        for _ in range(GREEDY):
            each = await opened.enter_async_context(site.connected(listener))
            await each.send(LARGE[kind])
            greedy.append(each)
        reading = [asyncio.create_task(each.reader.read(1)) for each in greedy]

        async def have_ended() -> bool:
            return sum(each.done() for each in reading) >= GREEDY - MAX_BYTES // (45 * KIB)

        await eventually(have_ended)
        await usual.send(b"Content-Length: 0\r\n\r\n")
        assert len(statuses_in(await usual.ended())) == 1
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def test_whole_requests_and_ended_connections_count_no_longer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Unfinished(MAX_BYTES)
    monkeypatch.setattr(server_main, "Unfinished", lambda: counting)
    async with listeners(settings) as site:
        for sent in LARGE.values():
            for _ in range(GREEDY):
                async with site.connected(API) as peer:
                    await peer.send(sent)
            async with site.connected(API) as peer:
                get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 100
                await peer.send(get + b"\r\n" + get + b"Connection: close\r\n\r\n")
                assert statuses_in(await peer.ended()) == [200, 200]

        async def is_empty() -> bool:
            return counting.total == 0

        await eventually(is_empty)


async def test_heads_that_wait_for_an_answer_are_few_or_small(settings: Settings) -> None:
    get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    large = get + b"A: " + b"a" * 20_000 + b"\r\n\r\n"
    end = get + b"Connection: close\r\n\r\n"
    async with listeners(settings) as site:
        async with site.connected(API) as peer:
            await peer.send(get + b"\r\n" + large + end)
            assert len(statuses_in(await peer.ended())) == 3
        async with site.connected(API) as peer:
            await peer.send(get + b"\r\n" + large * 2 + end)
            statuses = statuses_in(await peer.ended())
    assert len(statuses) == 3
    assert statuses[2] == 400
