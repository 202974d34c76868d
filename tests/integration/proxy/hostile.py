"""An API server that its owner has replaced: it answers so that whoever reads it is harmed."""

import socket
import ssl
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha1

from server.proxy.authority import Identity

MIB = 1 << 20
GIB = 1 << 30
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n"
PIECE = b" " * 0x10000
BLANKS = b"10000\r\n" + PIECE + b"\r\n"
HANDSHAKE = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
DRIP_SECONDS = 0.5
IDLE_SECONDS = 0.3
LATE_SECONDS = 1.0

Say = Callable[[bytes], None]


@dataclass
class HostileApi:
    """Answers well up to the request at which it begins to do harm.

    `how`: one of `HOWS` or `UNASKED`.
    """

    identity: Identity
    how: str = "blanks"
    at: str = ""
    """It does harm at a request whose method and path contain this."""
    port: int = 0
    open: int = 0
    """Connections at which it is doing harm now."""
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def serve(self, connection: ssl.SSLSocket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(OSError, ValueError):
            while line := lines.readline().decode("latin-1"):
                headers = {}
                while header := lines.readline().strip().decode("latin-1"):
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                lines.read(int(headers.get("content-length", 0)))
                asked = line.removesuffix(" HTTP/1.1\r\n")
                self.asked.append(asked)
                if self.at in asked:
                    self.open += 1
                    try:
                        if self.how == "frame":
                            _frame(connection.sendall, headers["sec-websocket-key"])
                        else:
                            (HOWS | UNASKED)[self.how](connection.sendall)
                    finally:
                        self.open -= 1
                    lines.read()
                    return
                body = b'{"metadata": {"name": "x"}}'
                head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
                connection.sendall(head + body)


def _endlessly(say: Say, first: bytes, again: bytes) -> None:
    say(first)
    while True:
        say(again)


def _drip(say: Say) -> None:
    say(CHUNKED + b"\r\n")
    while True:
        say(b"1\r\n \r\n")
        time.sleep(DRIP_SECONDS)


def _answer_late(say: Say) -> None:
    time.sleep(LATE_SECONDS)
    _whole(say, b"200 OK", b"{}")


def _hint_slowly(say: Say) -> None:
    """Keep the connection alive without an answer."""
    for _ in range(10):
        say(b"HTTP/1.1 103 E\r\n\r\n")
        time.sleep(DRIP_SECONDS)


def _answer_again(say: Say, pause_seconds: float) -> None:
    """Answer once, and then without an end; after a pause the connection is kept for reuse."""
    _whole(say, b"200 OK", b"{}")
    time.sleep(pause_seconds)
    _endlessly(say, b"", b"HTTP/1.1 200 OK\r\nContent-Length:0\r\n\r\n" * 3_500)


def _bomb(say: Say) -> None:
    """Send a few hundred KB that stand for 256 MiB."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    bomb = b"".join(packing.compress(bytes(MIB)) for _ in range(256)) + packing.flush()
    head = CHUNKED + b"content-encoding: gzip\r\n\r\n%x\r\n" % len(bomb)
    _endlessly(say, head + bomb + b"\r\n", BLANKS)


def _whole(say: Say, status: bytes, body: bytes) -> None:
    say(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)


def _length(say: Say) -> None:
    _endlessly(say, b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 * GIB), PIECE)


def _frame(say: Say, key: str) -> None:
    accept = b64encode(sha1(key.encode() + HANDSHAKE).digest())
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-protocol: v4.channel.k8s.io\r\n"
        b"sec-websocket-accept: " + accept + b"\r\n\r\n"
    )
    _endlessly(say, head + b"\x82\x7f" + GIB.to_bytes(8, "big"), PIECE)


HOWS: dict[str, Callable[[Say], None]] = {
    "blanks": lambda say: _endlessly(say, CHUNKED + b"\r\n", BLANKS),
    "drip": _drip,
    "gzip bomb": _bomb,
    "deep JSON": lambda say: _whole(say, b"200 OK", b'{"a":' * 100_000),
    "no object": lambda say: _whole(say, b"200 OK", b'[{"items": 5}]'),
    "trailers": lambda say: _endlessly(
        say, CHUNKED + b"\r\n2\r\n{}\r\n0\r\n", b"a: b\r\n" * 10_000
    ),
    "informational": lambda say: _endlessly(say, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000),
    "64 GiB announced": _length,
    "redirect": lambda say: say(
        b"HTTP/1.1 307 Elsewhere\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"
    ),
    "long header": lambda say: _endlessly(say, b"HTTP/1.1 200 OK\r\na: ", b"x" * 0x10000),
    "chunk extension": lambda say: _endlessly(say, CHUNKED + b"\r\n1;", b"x" * 0x10000),
    "control characters": lambda say: _whole(say, b"500 No", b"\x00\x1b[2J" + b"\xff" * 500_000),
}

UNASKED: dict[str, Callable[[Say], None]] = {
    "early hints": lambda say: _endlessly(say, b"", b"HTTP/1.1 103 E\r\n\r\n" * 7_000),
    "second answers": lambda say: _answer_again(say, 0),
    "answers while idle": lambda say: _answer_again(say, IDLE_SECONDS),
    "status 999": lambda say: say(
        b"HTTP/1.1 999 Odd\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
    ),
    "slow hints": _hint_slowly,
    "late": _answer_late,
}
"""Answers without an end, before the one that was asked for and after it."""


@contextmanager
def serving_harm(api: HostileApi) -> Iterator[None]:
    """Serve from threads on a port that the system chooses; a write to who has gone ends one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=api.identity.authority)
    context.load_cert_chain(api.identity.certificate, api.identity.key)
    listener = socket.create_server(("127.0.0.1", 0))
    api.port = listener.getsockname()[1]
    raw: list[socket.socket] = []

    def serve(accepted: socket.socket) -> None:
        with suppress(OSError):
            api.serve(context.wrap_socket(accepted, server_side=True))

    def accept() -> None:
        with suppress(OSError):
            while True:
                accepted, _ = listener.accept()
                raw.append(accepted.dup())
                threading.Thread(target=serve, args=[accepted], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in raw:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
