"""Requests that two servers could read in two ways: refused, or answered once each and in order.

What is sent often ends in a request for `/smuggled`. It has an answer of its own where it is a
request by every reading, and none where it could be a part of another request.
"""

import asyncio
import gc
import logging
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import anyio
import pytest

from server.config import Settings
from server.transport.guarded_http import GuardedHttp
from tests.faults.site import eventually
from tests.integration.by_hand import KEY, Peer
from tests.integration.conftest import sign_up
from tests.integration.listeners import API, LISTENERS, PROXY, Listeners, listeners, statuses_in

SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
LAST: Final = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
POST: Final = b"POST /a HTTP/1.1\r\nHost: x\r\n"
GET: Final = b"GET /a HTTP/1.1\r\nHost: x\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
UPGRADE: Final = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\n"
)

REFUSED: Final[dict[str, bytes]] = {
    # The length of a body, said twice.
    "CL.TE": POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
    "TE.CL": POST + CHUNKED + b"Content-Length: 4\r\n\r\n5c\r\n" + SMUGGLED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 35\r\n\r\n" + SMUGGLED,
    "one length twice": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "a list of lengths": POST + b"Content-Length: 0, 35\r\n\r\n" + SMUGGLED,
    "a signed length": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "a hexadecimal length": POST + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "a length beyond 64 bits": POST + b"Content-Length: 18446744073709551616\r\n\r\n" + SMUGGLED,
    "an empty length": POST + b"Content-Length: \r\n\r\n" + SMUGGLED,
    # A coding that only one of two servers understands.
    "TE.TE": POST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "TE twice": POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED,
    "chunked, identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + SMUGGLED,
    "gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked with a tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "quoted chunked": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + SMUGGLED,
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a coding in HTTP/1.0": b"POST /a HTTP/1.0\r\nHost: x\r\n"
    + CHUNKED
    + b"\r\n0\r\n\r\n"
    + SMUGGLED,
    # The size of a chunk.
    "a size with 0x": POST + CHUNKED + b"\r\n0x0\r\n\r\n" + SMUGGLED,
    "a size with a space": POST + CHUNKED + b"\r\n0 \r\n\r\n" + SMUGGLED,
    "a negative size": POST + CHUNKED + b"\r\n-1\r\n\r\n" + SMUGGLED,
    "no size": POST + CHUNKED + b"\r\n\r\n\r\n" + SMUGGLED,
    "a size beyond 64 bits": POST + CHUNKED + b"\r\n10000000000000000\r\n\r\n" + SMUGGLED,
    "a chunk longer than it says": POST + CHUNKED + b"\r\n1\r\nabc\r\n0\r\n\r\n" + SMUGGLED,
    "bare LF in chunks": POST + CHUNKED + b"\r\n0\n\n" + SMUGGLED,
    "bare CR in chunks": POST + CHUNKED + b"\r\n0\r\r" + SMUGGLED,
    # The ends of lines.
    "bare LF": b"GET /a HTTP/1.1\nHost: x\n\n" + SMUGGLED,
    "bare CR": b"GET /a HTTP/1.1\rHost: x\r\r" + SMUGGLED,
    "LF after the head": GET + b"\n" + SMUGGLED,
    "CR in a value": GET + b"A: b\rTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "LF in a value": GET + b"A: b\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "a folded value": GET + b"A: b\r\n c\r\n\r\n" + SMUGGLED,
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a space before the first header": b"GET /a HTTP/1.1\r\n Host: x\r\n\r\n" + SMUGGLED,
    # Characters that are none.
    "NUL in a value": GET + b"A: \0\r\n\r\n" + SMUGGLED,
    "NUL in a name": GET + b"A\0: b\r\n\r\n" + SMUGGLED,
    "NUL in the path": b"GET /a\0 HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "a vertical tab in a value": GET + b"A: x\x0b\r\n\r\n" + SMUGGLED,
    "DEL in a value": GET + b"A: x\x7f\r\n\r\n" + SMUGGLED,
    "no name": GET + b": b\r\n\r\n" + SMUGGLED,
    "no colon": GET + b"Transfer-Encoding chunked\r\n\r\n" + SMUGGLED,
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    # Hosts.
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "two hosts in HTTP/1.0": b"GET /healthz HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
    "one host twice": b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    "a list of hosts": b"GET /healthz HTTP/1.1\r\nHost: x y\r\n\r\n",
    "a host with a user": b"GET /healthz HTTP/1.1\r\nHost: a@x\r\n\r\n",
    "a host with a path": b"GET /healthz HTTP/1.1\r\nHost: x/a\r\n\r\n",
    "half an IPv6 host": b"GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n",
    # Targets.
    "another host in the target": b"GET http://y/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "a user in the target": b"GET http://a@x/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "a URL that is none": b"GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a URL without a host": b"GET http:/// HTTP/1.1\r\nHost: x\r\n\r\n",
    "another scheme": b"GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a relative path": b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n" + SMUGGLED,
    "an upgrade of a URL that is none": b"GET http://[/ HTTP/1.1\r\nHost: x\r\n"
    + UPGRADE
    + b"\r\n",
    "an upgrade of an asterisk": b"GET * HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"\r\n",
    "an upgrade of another host": b"GET http://y/a HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"\r\n",
    "an upgrade with a body": GET + UPGRADE + b"Content-Length: 3\r\n\r\nabc",
    "an upgrade with an illegal value": GET + UPGRADE + b"A: x\x0b\r\n\r\n",
    # Versions.
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/2 with prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.10": b"GET /healthz HTTP/1.10\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    # What is too much.
    "a head of 70 KB": GET + (b"A: " + b"a" * 1000 + b"\r\n") * 70 + b"\r\n" + SMUGGLED,
    "a header of 70 KB": GET + b"A: " + b"a" * 70_000 + b"\r\n\r\n" + SMUGGLED,
    "a target of 70 KB": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED,
    "1,000 headers": GET + b"A: b\r\n" * 1000 + b"\r\n" + SMUGGLED,
}
"""Each is answered once, by a refusal, and the connection ends; or it just ends."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Requests that have one meaning."""

    sent: bytes
    answers: int


PLAIN: Final[dict[str, Plain]] = {
    "a body that looks like a request": Plain(
        POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED + LAST, 2
    ),
    "a chunk that looks like a request": Plain(
        POST + CHUNKED + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED) + LAST, 2
    ),
    "an empty body and a request": Plain(POST + CHUNKED + b"\r\n0\r\n\r\n" + LAST, 2),
    "a request after the last one": Plain(GET + b"Connection: close\r\n\r\n" + SMUGGLED, 1),
    "three in a row": Plain(GET + b"\r\n" + SMUGGLED + LAST, 3),
    "empty lines between two": Plain(GET + b"\r\n\r\n\r\n" + LAST, 2),
    "its own host in the target": Plain(
        b"GET http://X/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 1
    ),
    "HTTP/1.0 without a host": Plain(b"GET /healthz HTTP/1.0\r\n\r\n", 1),
    "an upgrade to HTTP/2": Plain(
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n"
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        1,
    ),
    "trailers that say who asks": Plain(
        POST
        + CHUNKED
        + b"Trailer: Authorization\r\n\r\n1\r\na\r\n0\r\nAuthorization: Bearer pyk8s_a\r\n"
        b"Impersonate-User: admin\r\nHost: y\r\nCookie: a=b\r\nUpgrade: websocket\r\n\r\n" + LAST,
        2,
    ),
}


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[Listeners]:
    async with listeners(settings, allowed_hosts="x") as site:  # the Host of what is sent here
        yield site


async def said_to(site: Listeners, listener: str, sent: bytes) -> bytes:
    """Return everything that a server sends before it ends a connection."""
    async with site.connected(listener) as peer:
        await peer.send(sent)
        return await peer.ended()


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged as a warning or worse; uvicorn's own start is neither."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("listener", LISTENERS)
async def test_what_has_two_meanings_is_refused(
    site: Listeners,
    listener: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.WARNING)
    answers = await asyncio.gather(*(said_to(site, listener, each) for each in REFUSED.values()))
    for name, answer in zip(REFUSED, answers, strict=True):
        statuses = statuses_in(answer)
        assert statuses in ([], [400], [431]), (name, answer)
        assert statuses or "70 KB" in name, name
    assert complaints(caplog) == []
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.parametrize("listener", LISTENERS)
async def test_each_request_has_one_answer(
    site: Listeners, listener: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for name, case in PLAIN.items():
        answer = await said_to(site, listener, case.sent)
        statuses = statuses_in(answer)
        # A refusal by the proxy or for an app ends the connection with the first answer.
        expected = case.answers if listener == API else 1
        assert len(statuses) == expected, (name, answer)
        assert 400 not in statuses or (listener == PROXY and "HTTP/2" in name), name
    assert complaints(caplog) == []


async def test_trailers_do_not_sign_in(site: Listeners) -> None:
    """A header that comes after the body is no header of the request."""
    ann = await sign_up(site.server, "ann")
    await ann.http.aclose()
    sent = (
        b"POST /api/v1/auth/logout HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + CHUNKED
        + b"\r\n2\r\n{}\r\n0\r\nAuthorization: Bearer %s\r\n\r\n" % ann.token.encode()
    )
    assert statuses_in(await said_to(site, API, sent)) == [401]


SLOW: Final = b"GET /readyz?verbose HTTP/1.1\r\nHost: localhost\r\n\r\n"
BEHIND: Final[dict[str, bytes]] = {
    "an upgrade": b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n" + UPGRADE + b"\r\n",
    "a body": POST + b"Content-Length: 2\r\n\r\n{}",
    "no request": b"GET * \r\n\r\n",
    "a request without a host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "too many": SMUGGLED * 50,
}


@pytest.mark.parametrize("name", BEHIND)
async def test_answers_stay_in_order(
    site: Listeners, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes behind a request in progress does not take its answer's place."""
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        answers = await said_to(site, API, SLOW + BEHIND[name])
        [first, *between, last] = statuses_in(answers)
        assert first in {200, 503}  # of /readyz, which nothing else answers
        assert answers.index(b'"checks"') < answers.rindex(b"HTTP/1.1 400")
        assert set(between) <= {404}
        assert last == 400
    assert complaints(caplog) == []


@pytest.mark.parametrize("listener", LISTENERS)
async def test_what_follows_a_body_has_a_limit(site: Listeners, listener: str) -> None:
    """Trailers, an extension of a chunk, and a line without end; each of some MiB."""
    for name, piece in {
        "trailers": b"\r\n0\r\n" + b"a:b\r\n" * 100_000,
        "one trailer": b"\r\n0\r\na:" + b"b" * 500_000,
        "one extension": b"\r\n1;" + b"b" * 500_000,
    }.items():
        async with site.connected(listener) as peer:
            path = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
            await peer.send(path + b"Content-Type: application/json\r\n" + CHUNKED)
            await peer.send(piece)
            for _ in range(20):
                await peer.send(piece[-100_000:])
            answer = await peer.ended()
            assert len(statuses_in(answer)) <= 1, (name, answer)
            assert b"HTTP/1.1 2" not in answer


async def test_nothing_is_kept_of_a_connection_that_has_ended(site: Listeners) -> None:
    """Neither after a refusal, nor where the peer resets it after an answer."""
    for sent in (
        POST + CHUNKED + b"\r\n0\r\n" + b"a:b\r\n" * 10_000,
        GET + b"A: b\r\n" * 1000 + b"\r\n",
        GET + b"\r\n",
    ):
        async with site.connected(API) as peer:
            await peer.send(sent)
            await peer.reader.read(1)
            raw = peer.writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def is_forgotten() -> bool:
        gc.collect()
        return not any(isinstance(each, GuardedHttp) for each in gc.get_objects())

    await eventually(is_forgotten)


async def test_a_head_of_some_pieces_is_counted_to_its_end(site: Listeners) -> None:
    async with site.connected(API) as peer:
        await peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
        for _ in range(6):
            await peer.send(b"A: " + b"a" * 10_000 + b"\r\n")
            await drained(peer)
        await peer.send(b"A: " + b"a" * 9_000 + b"\r\n\r\n")
        assert statuses_in(await peer.ended()) == [431]


async def drained(peer: Peer) -> None:
    """Let the server read what was sent, so that what comes next comes in another piece."""
    await peer.writer.drain()
    await asyncio.sleep(0.02)


async def test_an_empty_line_before_the_first_request_is_no_defect(
    site: Listeners, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.connected(API) as peer:
        await peer.send(b"\r\n")
        await anyio.sleep(0.1)  # so that it is read alone; too short, the test only shows less
        await peer.send(LAST)
        assert statuses_in(await peer.ended()) == [404]
    assert complaints(caplog) == []
