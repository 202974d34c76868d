"""Upgrades to WebSocket and to SPDY/3.1: what passes, what is refused, and what ends a tunnel."""

import asyncio
import hashlib
from contextlib import suppress
from uuid import UUID

import pytest

from server.proxy import openings
from tests.faults.site import eventually
from tests.integration.proxy.conftest import Site, asking, read_answer, read_head
from tests.integration.proxy.test_relay import UPGRADE, tunnel
from tests.integration.proxy.test_revocation import revoke, until_closed

SPDY = (
    "Connection: Upgrade",
    "Upgrade: SPDY/3.1",
    "X-Stream-Protocol-Version: v5.channel.k8s.io",
    "X-Stream-Protocol-Version: v4.channel.k8s.io",
    "Content-Length: 0",
)
"""What client-go sends for exec, attach and port-forward."""

QUIET_SECONDS = 1.0
"""A sender that was held up for so long is held up."""

HELD_BYTES = 16 * 1024 * 1024
"""Far more than the buffers of both hops and of four sockets of this machine hold."""


async def test_spdy_passes_as_bytes_both_ways(site: Site) -> None:
    reader, writer = await asking(site, "/tunnel", *SPDY)
    async with asyncio.timeout(30):
        status, headers = await read_head(reader)
        assert (status, headers["upgrade"]) == (101, "SPDY/3.1")
        assert headers["x-stream-protocol-version"] == "v4.channel.k8s.io"
        sent = hashlib.sha256(b"seed").digest() * 32768  # 1 MiB
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
    assert site.api.heads[-1].startswith(b"POST /tunnel HTTP/1.1")
    got = site.api.headers()
    assert (b"impersonate-user", b"ann") in got
    versions = [value for name, value in got if name == b"x-stream-protocol-version"]
    assert versions == [b"v5.channel.k8s.io", b"v4.channel.k8s.io"]
    writer.close()


async def test_a_refusal_of_the_cluster_reaches_who_asked_for_spdy(site: Site) -> None:
    reader, _ = await asking(site, "/refused-upgrade", *SPDY)
    async with asyncio.timeout(30):
        status, _, body = await read_answer(reader)
    assert status == 404
    assert b"no such pod" in body


@pytest.mark.parametrize("path", ["/websocket-101", "/other-101", "/api"])
async def test_the_cluster_has_to_agree_to_spdy_itself(site: Site, path: str) -> None:
    reader, _ = await asking(site, path, *SPDY)
    async with asyncio.timeout(30):
        status, _, _ = await read_answer(reader)
    assert status == 502


async def test_other_protocols_and_handshakes_with_a_body_go_nowhere(site: Site) -> None:
    for token in ("SPDY/3", "SPDY/2", "h2c", "TLS/1.0", "SPDY/3.1, websocket", "SPDY/3.1 x"):
        status, _, body = await site.ask(
            site.at("/tunnel"), "Connection: Upgrade", f"Upgrade: {token}", method="POST"
        )
        assert status == 400, token
        assert b"WebSocket and SPDY/3.1 only" in body, token
    for more in (
        ("Content-Length: 5",),
        ("Transfer-Encoding: chunked",),
        (SPDY[1],),
        (UPGRADE[1],),
    ):
        status, _, _ = await site.ask(site.at("/tunnel"), *SPDY[:4], *more, method="POST")
        assert status == 400, more
    for method in ("PUT", "DELETE", "HEAD"):
        assert (await site.ask(site.at("/tunnel"), *SPDY, method=method))[0] == 400, method
    assert site.api.heads == []


async def test_a_revocation_ends_spdy_and_a_watch_over_a_websocket(site: Site) -> None:
    readers = []
    for path, headers, method in (
        ("/tunnel", SPDY, "POST"),
        ("/tunnel?watch=true", UPGRADE, "GET"),
    ):
        reader, writer = await asking(site, path, *headers, method=method)
        async with asyncio.timeout(30):
            assert (await read_head(reader))[0] == 101
            writer.write(b"typed")
            assert await reader.readexactly(5) == b"typed"
        readers.append(reader)
    await revoke(site)
    for reader in readers:
        await until_closed(reader)


async def test_spdy_counts_for_its_user(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "MOST_OPEN", 1)
    reader, writer = await asking(site, "/tunnel", *SPDY)
    async with asyncio.timeout(30):
        assert (await read_head(reader))[0] == 101
        second, _ = await asking(site, "/tunnel", *SPDY)
        assert (await read_answer(second))[0] == 429
    writer.close()


async def test_spdy_keeps_its_cluster_in_use_and_a_watch_does_not(site: Site) -> None:
    held, cluster = site.server.state["use"]._open, UUID(site.mine)
    _, watching = await asking(site, "/tunnel?watch=1", *UPGRADE, method="GET")
    reader, writer = await asking(site, "/tunnel", *SPDY)
    async with asyncio.timeout(30):
        assert (await read_head(reader))[0] == 101
    assert held[cluster] == 1
    writer.close()

    async def is_over() -> bool:
        return bool(held[cluster] == 0)

    await eventually(is_over)
    watching.close()


async def test_a_watch_over_a_websocket_has_the_origin_that_api_servers_demand(site: Site) -> None:
    own = site.api.url.encode()
    for path, sent, expected in (
        ("/api/v1/pods/tunnel?watch=true", (), [own]),
        ("/api/v1/pods/tunnel?watch=1", ("Origin: https://elsewhere.example",), [own]),
        ("/api/v1/watch/pods/tunnel", (), [own]),
        ("/api/v1/pods/x/tunnel", ("Origin: https://elsewhere.example",), []),
        ("/api/v1/services/x/proxy/tunnel", ("Origin: https://elsewhere.example",), []),
    ):
        reader, writer = await asking(site, path, *UPGRADE, *sent, method="GET")
        async with asyncio.timeout(30):
            assert (await read_head(reader))[0] == 101
        assert [value for name, value in site.api.headers() if name == b"origin"] == expected, path
        writer.close()
    reader, _ = await asking(site, "/tunnel?watch=1", *SPDY)
    async with asyncio.timeout(30):
        assert (await read_head(reader))[0] == 101
    assert b"origin" not in dict(site.api.headers())


async def test_a_client_that_does_not_read_holds_up_who_sends(site: Site) -> None:
    reader, writer = await tunnel(site, "/endless?watch=true")
    async with asyncio.timeout(60):
        assert (await read_head(reader))[0] == 101
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        before = -1
        while before != site.api.sent:
            before = site.api.sent
            await asyncio.sleep(QUIET_SECONDS)
    assert 0 < site.api.sent < HELD_BYTES
    with suppress(OSError):
        writer.transport.abort()


async def test_watches_and_tunnels_resume_the_tls_session_of_those_before(site: Site) -> None:
    """Each has a connection of its own; only the first handshake has the certificates."""
    opened = []
    for path, headers, method in (
        ("/watch", (), "GET"),
        ("/tunnel", SPDY, "POST"),
        ("/watch", (), "GET"),
    ):
        reader, writer = await asking(site, path, *headers, method=method)
        async with asyncio.timeout(30):
            await read_head(reader)
            if path == "/watch":
                await reader.readuntil(b"line 1\n")
        opened.append(writer)
    assert site.api.tls is not None
    counted = site.api.tls.session_stats()
    assert (counted["accept_good"], counted["hits"]) == (3, 2)
    for writer in opened:
        writer.close()
