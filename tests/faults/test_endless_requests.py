"""Requests that have no end: trailers without a limit, and bodies that hardly come, on all ports.

The server's memory stays what it was, and others are answered.
"""

import asyncio
import itertools
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from tests.faults.crowd import footprint, quantile_of, simulated_site
from tests.integration.listeners import without_verification
from tests.ports import free_port

MIB: Final = 2**20
GROWN_BYTES: Final = 50 * MIB
FLOODS: Final = 2
"""Connections that send trailers at the same time, at each port."""
PAUSE_SECONDS: Final = 0.3
"""Before a connection that was ended is opened again: handshakes are not what is measured."""
BLOCK: Final = b"aa:b\r\n" * 10_000
HEAD: Final = (
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Size:
    seconds: float
    slow_bodies: int
    """At the API's port; a tenth at the others, which answer who is not signed in at once."""


USUAL: Final = Size(seconds=3, slow_bodies=10)
FULL: Final = Size(seconds=65, slow_bodies=50)


@asynccontextmanager
async def connected(
    port: int, tls: ssl.SSLContext | None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@dataclass
class Attack:
    """What was sent so far."""

    sent: int = 0
    ended: int = 0
    """Connections that the server has ended."""

    async def flood(self, port: int, tls: ssl.SSLContext | None) -> None:
        """Send trailers; when the server has had enough, begin again."""
        while True:
            with suppress(OSError):
                async with connected(port, tls) as (_, writer):
                    writer.write(HEAD + b"2\r\n{}\r\n0\r\n")
                    while not writer.is_closing():
                        writer.write(BLOCK)
                        await writer.drain()
                        self.sent += len(BLOCK)
            self.ended += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def drip(self, port: int, tls: ssl.SSLContext | None) -> None:
        """Send a byte of a body now and then."""
        while True:
            with suppress(OSError):
                async with connected(port, tls) as (_, writer):
                    writer.write(HEAD)
                    while not writer.is_closing():
                        writer.write(b"1\r\nx\r\n")
                        await writer.drain()
                        await asyncio.sleep(0.5)
            self.ended += 1
            await asyncio.sleep(PAUSE_SECONDS)


async def looking(url: str, took: list[float]) -> None:
    """Be what watches over the server."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        while True:
            began = time.monotonic()
            assert (await http.get(f"{url}/healthz")).status_code == 200
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(USUAL, id="usual"),
        pytest.param(FULL, id="full", marks=[pytest.mark.long, pytest.mark.timeout(300)]),
    ],
)
async def test_what_has_no_end_takes_no_memory(
    database_url: str, size: Size, record_property: Any
) -> None:
    proxy, apps = free_port(), free_port()
    own = {"PYK8S_PROXY_PORT": str(proxy), "PYK8S_APPS_PORT": str(apps)}
    async with simulated_site(database_url, **own) as site:
        await site.server.start()
        url, pid = site.server.url, site.server.pid
        took: list[float] = []
        observer = asyncio.create_task(looking(url, took))
        while len(took) < 50:
            assert not observer.done()
            await asyncio.sleep(0.05)
        calm, before = list(took), footprint(pid).resident_bytes
        took.clear()
        attack, most = Attack(), before
        tls = without_verification()
        few = size.slow_bodies // 10
        places = [
            (httpx.URL(url).port or 0, None, size.slow_bodies),
            (proxy, tls, few),
            (apps, None, few),
        ]
        attackers = [
            asyncio.create_task(each)
            for port, context, slow in places
            for each in itertools.chain(
                (attack.flood(port, context) for _ in range(FLOODS)),
                (attack.drip(port, context) for _ in range(slow)),
            )
        ]
        ends = time.monotonic() + size.seconds
        while time.monotonic() < ends or len(took) < 10:
            most = max(most, footprint(pid).resident_bytes)
            assert not observer.done()
            await asyncio.sleep(0.1)
        for each in (*attackers, observer):
            each.cancel()
        outcomes = await asyncio.gather(*attackers, observer, return_exceptions=True)
        assert {type(each) for each in outcomes} == {asyncio.CancelledError}
        grown = most - before
        record_property("seconds", size.seconds)
        record_property("sent_bytes", attack.sent)
        record_property("connections_ended", attack.ended)
        record_property("grown_bytes", grown)
        for name, values in (("calm", calm), ("attacked", took)):
            record_property(f"healthz_p50_{name}", round(quantile_of(values, 0.5), 4))
            record_property(f"healthz_p99_{name}", round(quantile_of(values, 0.99), 4))
        assert attack.ended > FLOODS
        assert grown < GROWN_BYTES
        assert "Traceback" not in site.log(), site.log_tail()
