"""A cheap WebSocket client: it reads frames and counts, so that the server is what is measured."""

import asyncio
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import cast

from pyk8s.wire.frames import SUBPROTOCOL

HANDSHAKES_AT_ONCE = 20
SOCKETS_PER_ADDRESS = 2000
OPEN_SECONDS = 60.0

SEQ = b'{"seq":'
SEQ_BYTES = 32
"""More than the mark and the largest number take together."""

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
TWO_BYTES, EIGHT_BYTES = 126, 127


class Socket(asyncio.Protocol):
    """One connection. `on_text` gets each text frame; without it frames are passed over unread.

    `greeted` is set when so many text frames have come as `greeting` says.
    """

    def __init__(
        self,
        request: bytes,
        *,
        on_text: Callable[[bytes], None] | None = None,
        greeting: int = 0,
    ) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last_seq = 0
        self.is_lost = False
        self.closed_with = ""
        self.texts = 0
        self.greeted = asyncio.Event()
        self._greeting = greeting
        self._request = request
        self._on_text = on_text
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._left = 0  # of the payload of the frame that has begun
        self._kind = 0
        self._kept: bytearray | None = None
        self._end = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has another base
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over."""
        self.is_lost = True
        self.greeted.set()
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before it was open"))

    def send(self, text: str) -> None:
        """Send a text frame. The mask is zero: it need not hide anything here."""
        self._write(TEXT, text.encode())

    def close(self) -> None:
        """Go away."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if not self.opened.done():
            head, found, data = (self._rest + data).partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            self._rest = b""
            if b" 101 " not in head[:20]:
                self.opened.set_exception(ConnectionError(head[:200].decode(errors="replace")))
                return
            self.opened.set_result(None)
        if self._on_text is None:
            self._find_seq(data)
        self._read(self._rest + data if self._rest else data)

    def _find_seq(self, data: bytes) -> None:
        """Find the last number in it; one that is cut in two is found with the next piece."""
        place, source = data.rfind(SEQ), data
        if place < 0 or place > len(data) - SEQ_BYTES:
            source = self._end + data[-4 * SEQ_BYTES :] if place >= 0 else self._end + data
            stop = source.rfind(b",")
            place = source.rfind(SEQ, 0, stop) if stop > 0 else -1
        if place >= 0:
            digits = source[place + len(SEQ) : place + SEQ_BYTES].partition(b",")[0]
            if digits.isdigit():
                self.last_seq = int(digits)
        self._end = data[-SEQ_BYTES:]

    def _read(self, data: bytes) -> None:
        at, end = 0, len(data)
        self._rest = b""
        while at < end:
            if not self._left:
                size = self._begin(data, at)
                if not size:
                    self._rest = data[at:]
                    return
                at += size
            step = min(self._left, end - at)
            if self._kept is not None:
                self._kept += data[at : at + step]
            at += step
            self._left -= step
            if not self._left and self._kept is not None:
                self._whole(bytes(self._kept))

    def _begin(self, data: bytes, at: int) -> int:
        """Read the head of a frame; give its size, 0 when it is not whole yet."""
        if len(data) - at < 2:  # noqa: PLR2004 the shortest head
            return 0
        self._kind, length, size = data[at] & 15, data[at + 1] & 127, 2
        if length in {TWO_BYTES, EIGHT_BYTES}:
            form = ">H" if length == TWO_BYTES else ">Q"
            size += struct.calcsize(form)
            if len(data) - at < size:
                return 0
            length = struct.unpack_from(form, data, at + 2)[0]
        self._left = length
        if self._kind == TEXT:
            self.texts += 1
            if self.texts == self._greeting:
                self.greeted.set()
        is_wanted = self._kind != TEXT or self._on_text is not None
        self._kept = bytearray() if is_wanted else None
        if not length and is_wanted:
            self._whole(b"")
        return size

    def _whole(self, payload: bytes) -> None:
        if self._kind == PING:
            self._write(PONG, payload)
        elif self._kind == CLOSE:
            self.closed_with = payload.hex()
        elif self._on_text is not None:
            self._on_text(payload)

    def _write(self, kind: int, payload: bytes) -> None:
        length = len(payload)
        if length < TWO_BYTES:
            head = struct.pack(">BB", 128 | kind, 128 | length)
        else:
            head = struct.pack(">BBH", 128 | kind, 128 | TWO_BYTES, length)
        assert self._transport is not None
        self._transport.write(head + bytes(4) + payload)


def request(path: str, port: int, token: str) -> bytes:
    """Write the upgrade request of a program with a token."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


async def connect(
    port: int,
    path: str,
    token: str = "",
    *,
    on_text: Callable[[bytes], None] | None = None,
    greeting: int = 0,
    source: int = 1,
) -> Socket:
    """Open a socket, from 127.0.0.`source`: one address has 28,000 ports."""
    loop = asyncio.get_running_loop()
    _, opened = await loop.create_connection(
        lambda: Socket(request(path, port, token), on_text=on_text, greeting=greeting),
        "127.0.0.1",
        port,
        local_addr=(f"127.0.0.{source}", 0),
    )
    async with asyncio.timeout(OPEN_SECONDS):
        await opened.opened
    return opened


async def connect_many(
    port: int,
    path: str,
    tokens: Iterable[str],
    first: Callable[[int], str],
    *,
    greeting: int = 0,
) -> list[Socket]:
    """Open a socket for each token, some at a time; `first` gives the frame that each sends.

    The next one has its turn when so many frames have come back as `greeting` says.
    """
    gate = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    async def one(number: int, token: str) -> Socket:
        source = 1 + number // SOCKETS_PER_ADDRESS
        async with gate:
            opened = await connect(port, path, token, greeting=greeting, source=source)
            opened.send(first(number))
            if greeting:
                async with asyncio.timeout(OPEN_SECONDS):
                    await opened.greeted.wait()
        return opened

    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(one(number, token)) for number, token in enumerate(tokens)]
    sockets = [each.result() for each in made]
    check_open(sockets)
    return sockets


async def close_all(sockets: Iterable[Socket]) -> None:
    """Close them, and give the server a moment to notice."""
    for each in sockets:
        with suppress(OSError):
            each.close()
    await asyncio.sleep(0.2)


def check_open(sockets: Iterable[Socket]) -> None:
    """See that nobody was thrown out.

    Raises:
        RuntimeError: somebody was.
    """
    lost = [each for each in sockets if each.is_lost]
    if lost:
        raise RuntimeError(f"{len(lost)} sockets were closed, the first with {lost[0].closed_with}")


GREETING = 2
"""What a subscription to a cluster without news is answered with: `hello`, `bookmark`."""


def subscribe(cluster_id: object, after: int) -> str:
    """Write the frame that subscribes to a cluster."""
    return f'{{"type":"subscribe","topic":"cluster:{cluster_id}","after":{after}}}'
