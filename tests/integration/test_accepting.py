"""Connections that a port does not take: from networks of clusters, and too many."""

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

import pytest

from server.config import Settings
from server.transport import accepting
from tests.integration.by_hand import Peer
from tests.integration.listeners import LISTENERS, PROXY, Listeners, listeners

POOL = "127.66.0.0/16"
WITHIN = "127.66.3.4"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def is_refused(site: Listeners, listener: str, **how: Any) -> bool:
    """Return whether a connection ends without an answer."""
    try:
        async with asyncio.timeout(20), site.connected(listener, **how) as peer:
            await peer.send(HEALTH)
            return await peer.reader.read() == b""
    except OSError:  # reset, or no handshake
        return True


@pytest.mark.parametrize("listener", LISTENERS)
async def test_nothing_in_a_cluster_reaches_the_server(
    settings: Settings, listener: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server on all addresses is told that a part of this machine's are of clusters."""
    async with listeners(settings, host="0.0.0.0", network_pool=POOL) as site:
        assert await is_refused(site, listener, host=WITHIN, tls=False)
        assert await is_refused(site, listener, host=WITHIN)
        assert await is_refused(site, listener, source=WITHIN)
        async with site.connected(listener) as peer:  # the others are served
            await peer.send(HEALTH)
            assert (await peer.ended()).startswith(b"HTTP/1.1 ")
    told = [line for line in capsys.readouterr().out.splitlines() if "refused" in line]
    assert told
    assert all(accepting.CLUSTER_NETWORK in line for line in told)


async def test_a_mapped_address_is_the_ipv4_one(settings: Settings) -> None:
    """Where the server listens on IPv6 as well, the kernel names IPv4 addresses `::ffff:...`."""
    async with listeners(settings, host="::", network_pool=POOL) as site:
        for listener in LISTENERS:
            assert await is_refused(site, listener, host=WITHIN)
            async with site.connected(listener) as peer:
                await peer.send(HEALTH)
                assert (await peer.ended()).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("listener", LISTENERS)
async def test_too_many_from_an_address_are_refused_until_some_have_gone(
    settings: Settings, listener: str
) -> None:
    async with listeners(settings, host="0.0.0.0", connections_per_address=3) as site:
        async with AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(site.connected(listener))
            assert await is_refused(site, listener)
            async with site.connected(listener, source="127.0.0.2") as other:
                assert await answers(other)

        async def is_served() -> bool:
            return not await is_refused(site, listener)

        async with asyncio.timeout(20):
            while not await is_served():
                await asyncio.sleep(0.05)


async def test_one_port_does_not_take_connections_from_another(settings: Settings) -> None:
    async with listeners(settings, connections_per_port=2) as site, AsyncExitStack() as stack:
        for listener in LISTENERS:
            for _ in range(2):
                await stack.enter_async_context(site.connected(listener))
            assert await is_refused(site, listener)


async def test_a_handshake_that_does_not_come_is_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(accepting, "HANDSHAKE_SECONDS", 0.5)
    async with listeners(settings, connections_per_address=2) as site:
        for said in (b"", b"\x16\x03\x01", HEALTH):
            async with site.connected(PROXY, tls=False) as peer:
                await peer.send(said)
                assert b"HTTP/1.1 2" not in await peer.ended()
        async with site.connected(PROXY) as peer:  # they are counted no longer
            assert await answers(peer)
    assert [each.getMessage() for each in caplog.records] == []


async def answers(peer: Peer) -> bool:
    """Return whether a server answers at all."""
    await peer.send(HEALTH)
    return (await peer.ended()).startswith(b"HTTP/1.1 ")
