"""What a peer may do to the server: badly written, greedy, slow, or silent."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from server.__main__ import listen
from server.config import Settings
from server.transport import guarded_http
from server.transport.listening import TCP_OPTIONS
from tests.integration.by_hand import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Peer,
    frame,
    handshake,
    peer,
    resident_bytes,
)
from tests.integration.conftest import Caller, LabServer

MIB = 2**20
NOBODYS = "cluster:018f0000-0000-7000-8000-00000000ffff"


@asynccontextmanager
async def greeted(caller: Caller) -> AsyncIterator[Peer]:
    """Open the stream by hand, and take its hello."""
    async with peer(caller.base_url) as opened:
        assert (await opened.upgrade(caller.base_url, caller.token)).startswith("HTTP/1.1 101")
        hello = await opened.receive()
        assert hello is not None
        assert hello.document["type"] == "hello"
        yield opened


def subscribe(**fields: object) -> str:
    return json.dumps({"type": "subscribe", "topic": "clusters", **fields})


DEEP = '{"type":"ping","nonce":' + "[" * 10_000 + "]" * 10_000 + "}"
HUGE = '{"type":"subscribe","topic":"%s","after":%s}'
BAD_FRAMES = {
    "bad UTF-8": (frame(b"\xff\xfe"), 1007),
    "UTF-8 cut in the middle": (frame(b'{"type":"ping","nonce":"\xc3'), 1007),
    "bad UTF-8 over two frames": (frame(b"\xc3", fin=False) + frame(b"\xc3", CONT), 1007),
    "bad UTF-8 twice": (frame(b"\xff") * 50, 1007),
    "65,537 bytes": (frame(b"x" * 65_537), 1009),
    "65,537 bytes over two frames": (
        frame(b"x" * 65_000, fin=False) + frame(b"x" * 537, CONT),
        1009,
    ),
    "a length of 2**62": (b"\x81\xff" + (2**62).to_bytes(8, "big") + bytes(4), 1009),
    "a deflate bomb": (frame(b"\xec\xc1\x01\x01" * 100, rsv=4), 1002),
    "a reserved bit": (frame("{}", rsv=1), 1002),
    "a reserved opcode": (frame("{}", 3), 1002),
    "no mask": (frame('{"type":"ping","nonce":"1"}', mask=False), 1002),
    "a ping in pieces": (frame(b"", PING, fin=False), 1002),
    "a ping too long": (frame(b"x" * 126, PING), 1002),
    "the end of nothing": (frame(b"", CONT), 1002),
    "a text in a text": (frame("{", fin=False) + frame("{"), 1002),
    "a close code that cannot be": (frame((5).to_bytes(2, "big"), CLOSE), 1002),
    "half a close code": (frame(b"\x03", CLOSE), 1002),
    "binary": (frame(b"\x00", BINARY), 4500),
    "nothing": (frame(""), 4500),
    "no JSON": (frame("{"), 4500),
    "no object": (frame("[1]"), 4500),
    "two objects": (frame('{"type":"ping","nonce":"1"}{}'), 4500),
    "JSON 10,000 deep": (frame(DEEP), 4500),
    "a number of 60,000 digits": (frame(HUGE % (NOBODYS, "9" * 60_000)), 4500),
    "a number without bounds": (frame(HUGE % (NOBODYS, "1e999")), 4500),
    "no number": (frame(HUGE % (NOBODYS, "NaN")), 4500),
    "a text of 60,000": (frame(subscribe(topic="x" * 60_000)), 4500),
    "half a surrogate": (frame('{"type":"ping","nonce":"\\ud800"}'), 4500),
    "a list for a text": (frame(subscribe(topic=["clusters"])), 4500),
    "a text for a number": (frame(subscribe(topic=NOBODYS, after="many")), 4500),
    "a key of 60,000": (frame(json.dumps({"type": "ping", "nonce": "1", "x" * 60_000: 1})), 4500),
    "a NUL in a topic": (frame(subscribe(topic="cluster:\0")), 4500),
    "another log": (frame(subscribe(epoch=NOBODYS.partition(":")[2])), 4510),
}


async def test_what_is_no_frame_is_answered_with_its_code(
    ann: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with greeted(ann) as neighbour:
        for name, (sent, code) in BAD_FRAMES.items():
            async with greeted(ann) as bad:
                await bad.send(sent)
                assert await bad.close_code() == code, name
        await neighbour.send(frame('{"type":"ping","nonce":"1"}'))
        answer = await neighbour.receive()
        assert answer is not None
        assert answer.document == {"type": "pong", "nonce": "1"}
    assert [record.getMessage() for record in caplog.records] == []


async def test_compression_is_declined(ann: Caller) -> None:
    async with peer(ann.base_url) as asking:
        offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
        head = await asking.upgrade(ann.base_url, ann.token, offer)
        assert head.startswith("HTTP/1.1 101")
        assert "extensions" not in head.lower()


FLOODS = {
    "pings of the protocol": frame(b"x" * 125, PING),
    "pongs": frame(b"", PONG),
    "empty pieces": frame(b"", CONT, fin=False),
    "frames": frame('{"type":"ping","nonce":"1"}'),
    "subscriptions": frame(subscribe(topic=NOBODYS)),
}


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "reads nothing"])
async def test_who_floods_is_closed_and_takes_no_memory(
    ann: Caller, lab_server: LabServer, caplog: pytest.LogCaptureFixture, reads: bool
) -> None:
    """Each sends some 10 MiB, as fast as the server takes it."""
    caplog.set_level(logging.WARNING)
    for name, small in FLOODS.items():
        before = resident_bytes()
        async with greeted(ann) as flooding:
            if small[0] == CONT:
                await flooding.send(frame(b"", TEXT, fin=False))
            block = small * (64 * 1024 // len(small))
            sending = asyncio.create_task(send_all(flooding, block, 160))
            if reads:
                code = await flooding.close_code()
                assert code in {4429, 4504, None}, name
            async with asyncio.timeout(20):
                await sending
                await lab_server.state["streams"].emptied()
        assert resident_bytes() - before < 24 * MIB, name
    assert [record.getMessage() for record in caplog.records] == []


async def send_all(flooding: Peer, block: bytes, times: int) -> None:
    for _ in range(times):
        await flooding.send(block)
        if flooding.writer.is_closing():
            return


async def test_who_speaks_before_it_is_let_in_is_hung_up_on(
    lab_server: LabServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for early in (frame(b"\xff"), frame("{}", 3), frame(b"", PING), b"GET / HTTP/1.1\r\n\r\n"):
        for _ in range(10):  # sometimes the refusal is quicker
            async with peer(lab_server.base_url) as hasty:
                await hasty.send(handshake(lab_server.base_url, "pyk8s_wrong"))
                await hasty.send(early)
                answer = await hasty.ended()
                assert answer.startswith(b"HTTP/1.1 401") or answer == b""
    assert [record.getMessage() for record in caplog.records] == []


BAD_HANDSHAKES = {
    "too many headers": (["X-Many: 1"] * 200, 431),
    "a line too long": (["X-Long: " + "x" * 9000], 431),
    "no key": (["Sec-WebSocket-Key: "], 400),
    "another version": (["Sec-WebSocket-Version: 7"], 400),
    "an address that is no ASCII": ([], 400),
}


async def test_handshakes_that_are_none_are_refused_and_closed(
    lab_server: LabServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for name, (lines, status) in BAD_HANDSHAKES.items():
        async with peer(lab_server.base_url) as bad:
            path = "/api/v1/\xe4" if "ASCII" in name else "/api/v1/stream"
            await bad.send(handshake(lab_server.base_url, None, *lines, path=path))
            answer = await bad.ended()
            assert answer.startswith(f"HTTP/1.1 {status}".encode()), (name, answer)
    assert all(record.exc_info is None for record in caplog.records)
    assert len(caplog.records) <= len(BAD_HANDSHAKES)


async def test_half_a_request_is_not_waited_for(
    ann: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(guarded_http, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(guarded_http, "BODY_SECONDS", 2.0)
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = (
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    )
    halves = {
        "nothing": b"",
        "half a head": b"GET / HTTP/1.1\r\nHost:",
        "half a body": body + b'Content-Length: 500\r\n\r\n{"username":',
        "half of a second request": whole + b"GET /",
        "line ends after a request": whole + b"\r\n",
    }
    async with asyncio.timeout(30):
        for name, half in halves.items():
            async with peer(ann.base_url) as slow:
                await slow.send(half)
                drop = b"\r\n" if "line" in name else b"x" if half else b""
                dripping = asyncio.create_task(drip(slow, drop))
                assert (await slow.ended()).count(b"HTTP/1.1") == half.count(whole), name
                await dripping
    assert (await ann.http.get("/healthz")).status_code == 200
    assert [record.getMessage() for record in caplog.records] == []


async def drip(slow: Peer, drop: bytes) -> None:
    """Send a little now and then, as long as it is taken."""
    while not slow.writer.is_closing() and not slow.reader.at_eof():
        await slow.send(drop)
        await asyncio.sleep(0.05)


async def test_a_head_without_end_is_refused(lab_server: LabServer) -> None:
    async with peer(lab_server.base_url) as greedy:
        await greedy.send(b"GET / HTTP/1.1\r\n")
        before = resident_bytes()
        sending = asyncio.create_task(send_all(greedy, b"X-More: " + b"x" * 8000 + b"\r\n", 4000))
        answer = await greedy.ended()
        await sending
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")
    assert resident_bytes() - before < 16 * MIB


def test_connections_inherit_what_notices_a_peer_that_is_gone(settings: Settings) -> None:
    with listen(settings) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            for name, value in TCP_OPTIONS.items():
                option = getattr(socket, name)
                assert accepted.getsockopt(socket.IPPROTO_TCP, option) == value, name
