"""Thousands who connect and finish nothing: they are hung up on, and nobody else waits for them."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from tests.faults.crowd import footprint, quantile_of, simulated_site
from tests.faults.site import eventually
from tests.integration.by_hand import Peer, frame, handshake, peer

MIB: Final = 2**20
NOISE_SECONDS: Final = 2.5
"""Below it a late answer may be noise of a busy machine. A request that has to wait for those who
finish nothing takes 5 s: so long each of them may take."""
GONE_SECONDS: Final = 15.0
"""Three times what the server gives the head of a request."""
DESCRIPTORS: Final = 5
"""Connections that may be more than before: requests of the test itself."""
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Size:
    half_open: int
    answers: int
    """Of the calm before them, to compare with."""
    grown: int
    """Bytes that the server's memory may grow by."""


USUAL: Final = Size(half_open=300, answers=50, grown=30 * MIB)
FULL: Final = Size(half_open=5000, answers=500, grown=150 * MIB)


def beginnings(url: str) -> list[bytes]:
    """Give what some of them say before they fall silent."""
    return [
        b"",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"\r\n",
        handshake(url, None)[:-2],
        b"POST /api/v1/auth/login HTTP/1.1\r\n",
    ]


@asynccontextmanager
async def half_open(url: str, count: int) -> AsyncIterator[list[Peer]]:
    """Open so many connections that never make a request."""
    said = itertools.cycle(beginnings(url))
    async with AsyncExitStack() as stack:
        opened: list[Peer] = []

        async def one() -> None:
            bad = await stack.enter_async_context(peer(url))
            await bad.send(next(said))
            opened.append(bad)

        for first in range(0, count, AT_ONCE):
            await asyncio.gather(*(one() for _ in range(min(AT_ONCE, count - first))))
        yield opened


async def asking(http: httpx.AsyncClient, url: str, took: list[float]) -> None:
    """Be somebody who works: over a connection that is kept, and over a new one."""
    while True:
        for headers in ({}, {"Connection": "close"}):
            began = time.monotonic()
            answer = await http.get(f"{url}/api/v1/clusters", headers=headers)
            assert answer.status_code == 200
            took.append(time.monotonic() - began)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(USUAL, id="usual"),
        pytest.param(FULL, id="full", marks=[pytest.mark.long, pytest.mark.timeout(300)]),
    ],
)
async def test_who_finishes_nothing_is_hung_up_on(
    database_url: str, size: Size, record_property: Any
) -> None:
    async with simulated_site(database_url) as site:
        await site.server.start()
        await site.sign_up()
        token = site.http.headers["Authorization"].removeprefix("Bearer ")
        url, pid = site.server.url, site.server.pid
        took: list[float] = []
        async with peer(url) as good:
            assert "101" in await good.upgrade(url, token)
            assert await good.receive() is not None
            neighbour = asyncio.create_task(asking(site.http, url, took))
            while len(took) < size.answers:
                assert not neighbour.done()
                await asyncio.sleep(0.05)
            calm, before = quantile_of(took, 0.99), footprint(pid)
            took.clear()
            async with half_open(url, size.half_open) as opened:
                began = time.monotonic()
                during = footprint(pid)

                async def are_gone() -> bool:
                    return footprint(pid).descriptors <= before.descriptors + DESCRIPTORS

                await eventually(are_gone, 60)
                gone_after = time.monotonic() - began
                for bad in opened:
                    answer = await bad.ended()
                    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
            assert not neighbour.done()
            neighbour.cancel()
            # Who was let in before them is still there.
            await good.send(frame('{"type":"ping","nonce":"1"}'))
            pong = await good.receive()
            assert pong is not None
            assert pong.document == {"type": "pong", "nonce": "1"}
        stormy, grown = quantile_of(took, 0.99), during.resident_bytes - before.resident_bytes
        record_property("calm_p99", round(calm, 4))
        record_property("p99_beside_them", round(stormy, 4))
        record_property("gone_after", round(gone_after, 1))
        record_property("grown_bytes", grown)
        assert gone_after < GONE_SECONDS
        assert stormy < max(NOISE_SECONDS, 2 * calm)
        assert grown < size.grown
        assert "Traceback" not in site.log(), site.log_tail()
