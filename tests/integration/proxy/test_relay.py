"""What passes through the proxy: bodies, watches, answers, failures."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import httpx
import pytest

from server.proxy import tunnel as tunnel_module
from tests.faults.site import eventually
from tests.integration.proxy.conftest import Site, asking, lead_to, read_answer, read_head

BIG = 8 * 1024 * 1024


async def test_a_large_body_passes_both_framings(site: Site) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for _ in range(BIG // 65536):
            yield b"x" * 65536

    async with httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{site.port}",
        verify=site.trust,
        trust_env=False,
        headers={"Authorization": f"Bearer {site.token}"},
        timeout=30,
    ) as client:
        url = site.at("/count")
        sized = await client.post(url, content=b"x" * BIG)
        chunked = await client.post(url, content=pieces())
        assert sized.json() == chunked.json() == {"bytes": BIG}
        empty = await client.post(url, content=b"")
        assert empty.json() == {"bytes": 0}


async def test_a_watch_is_seen_line_by_line_and_ends_with_its_client(site: Site) -> None:
    reader, writer = await site.connect()
    target = site.at("/watch")
    writer.write(
        f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.token}\r\n\r\n".encode()
    )
    await read_head(reader)
    await reader.readuntil(b"line 3\n")
    assert site.api.watches == 1
    writer.close()
    await eventually(lambda: _is(site.api.watches == 0))


async def _is(value: bool) -> bool:
    return value


async def test_answers_lose_what_is_for_the_next_hop_only(site: Site) -> None:
    _, headers, _ = await site.ask(site.at("/hop"))
    assert headers["etag"] == "kept"
    assert not {"set-cookie", "x-hop"} & headers.keys()


async def test_redirects_are_given_back_and_never_lead_out(site: Site) -> None:
    status, headers, _ = await site.ask(site.at("/redirect-out"))
    assert (status, headers.get("location")) == (302, None)
    status, headers, _ = await site.ask(site.at("/redirect-in"))
    assert (status, headers["location"]) == (301, f"/clusters/{site.mine}/api/v1/")
    assert len(site.api.heads) == 2


async def test_half_an_answer_does_not_look_whole(site: Site) -> None:
    reader, writer = await site.connect()
    said = f"GET {site.at('/half')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {site.token}\r\n"
    writer.write(said.encode() + b"\r\n")
    await read_head(reader)
    try:
        got = await reader.readexactly(1000)
    except (asyncio.IncompleteReadError, ConnectionError):
        got = b""
    assert len(got) < 1000
    writer.close()


async def test_an_api_server_that_is_away_is_told(site: Site) -> None:
    port, site.api.port = site.api.port, 1
    await lead_to(site.server, site.mine, site.api)
    await site.server.state["upstreams"].aclose()
    for headers in ((), UPGRADE):
        status, answered, body = await site.ask(site.at("/api"), *headers)
        assert (status, int(answered["retry-after"]) > 0) == (503, True)
        assert b'"reason":"ServiceUnavailable"' in body
    site.api.port = port


UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io",
)


async def tunnel(site: Site, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await site.connect()
    bearer = f"Authorization: Bearer {site.token}"
    lines = [f"GET {site.at(path)} HTTP/1.1", "Host: x", bearer, *UPGRADE, "", ""]
    writer.write("\r\n".join(lines).encode())
    return reader, writer


async def test_a_tunnel_passes_bytes_as_they_are(site: Site) -> None:
    reader, writer = await tunnel(site, "/tunnel")
    status, headers = await read_head(reader)
    assert (status, headers["sec-websocket-protocol"]) == (101, "SPDY/3.1+portforward.k8s.io")
    sent = hashlib.sha256(b"seed").digest() * 32768  # 1 MiB
    writing = asyncio.create_task(_write(writer, sent))
    assert await reader.readexactly(len(sent)) == sent
    await writing
    assert (b"impersonate-user", b"ann") in site.api.headers()
    writer.close()


async def _write(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(content)
    await writer.drain()


async def test_nothing_is_lost_when_the_cluster_closes_and_the_client_is_slow(site: Site) -> None:
    """As `kubectl cp` from a pod: all is written at once, and the connection closed."""
    reader, writer = await tunnel(site, "/flood")
    assert (await read_head(reader))[0] == 101
    await asyncio.sleep(0.3)
    expected = b"".join(number.to_bytes(4, "big") * 4096 for number in range(400))
    got = b""
    while piece := await reader.read(16384):
        got += piece
    assert got == expected
    writer.close()


async def test_an_upgrade_is_refused_unless_the_cluster_agrees_to_that_one(site: Site) -> None:
    for path, expected in (
        ("/api", 502),
        ("/redirect-out", 502),
        ("/other-101", 502),
        ("/half", 502),
        ("/refused-upgrade", 404),
    ):
        reader, writer = await tunnel(site, path)
        status, headers, body = await read_answer(reader)
        assert status == expected, path
        assert headers.get("location") is None
        assert b"Status" in body
        writer.close()


async def test_a_handshake_that_is_none_goes_nowhere(site: Site) -> None:
    broken = [
        tuple(each for each in UPGRADE if not each.startswith(left_out))
        for left_out in ("Sec-WebSocket-Key", "Sec-WebSocket-Version")
    ]
    for headers in (*broken, (*UPGRADE, "Content-Length: 5"), (*UPGRADE, UPGRADE[2])):
        status, _, _ = await site.ask(site.at("/tunnel"), *headers)
        assert status == 400, headers
    assert (await site.ask(site.at("/tunnel"), *UPGRADE, method="POST"))[0] == 400
    assert site.api.heads == []


async def test_a_python_client_lists(site: Site) -> None:
    async with aclosing(_lines(site)) as lines:
        assert [await anext(lines) for _ in range(3)] == ["line 0", "line 1", "line 2"]


async def _lines(site: Site) -> AsyncGenerator[str]:
    async with (
        httpx.AsyncClient(verify=site.trust, trust_env=False, timeout=30) as client,
        client.stream(
            "GET",
            f"https://localhost:{site.port}{site.at('/watch')}",
            headers={"Authorization": f"Bearer {site.token}"},
        ) as answer,
    ):
        async for line in answer.aiter_lines():
            yield line


CHUNKED = "Transfer-Encoding: chunked"


async def test_trailers_do_not_reach_the_cluster(site: Site) -> None:
    reader, writer = await asking(site, "/count", CHUNKED)
    writer.write(
        b"2\r\nab\r\n0\r\nImpersonate-User: admin\r\nImpersonate-Group: system:masters\r\n"
        b"Authorization: Bearer x\r\nHost: elsewhere\r\nAccept: x\r\n\r\n"
    )
    async with asyncio.timeout(30):
        status, _, body = await read_answer(reader)
    assert (status, body) == (200, b'{"bytes": 2}')
    passed = dict(site.api.headers())
    assert passed[b"impersonate-user"] == b"ann"
    assert passed.get(b"accept") != b"x"
    assert passed[b"host"] == f"127.0.0.1:{site.api.port}".encode()


async def test_trailers_have_a_limit_with_a_credential_too(site: Site) -> None:
    reader, writer = await asking(site, "/count", CHUNKED)
    writer.write(b"2\r\nab\r\n0\r\n")
    with suppress(OSError):  # it is closed before everything was sent
        for _ in range(100):
            writer.write(b"a:b\r\n" * 2000)
            await writer.drain()
    async with asyncio.timeout(20):
        with suppress(OSError):
            assert not (await reader.read()).startswith(b"HTTP/1.1 2")


async def test_a_body_that_hardly_comes_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel_module, "BODY_WINDOW_SECONDS", 0.5)
    reader, writer = await asking(site, "/count", "Content-Length: 1000000")

    async def drip() -> None:
        with suppress(OSError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(20):
        with suppress(OSError):
            assert await reader.read() == b""
    dripping.cancel()


async def test_a_body_may_take_many_windows_as_long_as_it_moves(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel_module, "BODY_WINDOW_SECONDS", 3.0)
    pieces, piece = 20, b"x" * tunnel_module.BODY_BYTES_PER_WINDOW * 2
    reader, writer = await asking(site, "/count", f"Content-Length: {pieces * len(piece)}")
    for _ in range(pieces):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.4)
    async with asyncio.timeout(30):
        status, _, body = await read_answer(reader)
    assert (status, body) == (200, b'{"bytes": %d}' % (pieces * len(piece)))


async def test_an_idle_tunnel_outlives_every_window(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell in which nobody types is no body."""
    monkeypatch.setattr(tunnel_module, "BODY_WINDOW_SECONDS", 0.1)
    reader, writer = await tunnel(site, "/tunnel")
    await read_head(reader)
    await asyncio.sleep(0.5)
    writer.write(b"still there")
    async with asyncio.timeout(20):
        assert await reader.readexactly(11) == b"still there"
