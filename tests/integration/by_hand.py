"""A peer that speaks HTTP and WebSocket by hand, so that it can do it badly."""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
PATIENCE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What the server sent."""

    opcode: int
    payload: bytes

    @property
    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = orjson.loads(self.payload)
        return read

    @property
    def close_code(self) -> int:
        code: int = struct.unpack("!H", self.payload[:2])[0]
        return code


def frame(
    payload: bytes | str, opcode: int = TEXT, *, fin: bool = True, rsv: int = 0, mask: bool = True
) -> bytes:
    """Write a frame of a client."""
    data = payload.encode() if isinstance(payload, str) else payload
    first = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    masked = 0x80 if mask else 0
    if len(data) < 126:
        head = first + bytes([masked | len(data)])
    elif len(data) < 65536:
        head = first + bytes([masked | 126]) + struct.pack("!H", len(data))
    else:
        head = first + bytes([masked | 127]) + struct.pack("!Q", len(data))
    # A mask of zeros leaves the payload as it is.
    return head + (bytes(4) if mask else b"") + data


def handshake(url: str, token: str | None, *lines: str, path: str = "/api/v1/stream") -> bytes:
    """Write what begins a WebSocket."""
    head = [
        f"GET {path} HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: pyk8s.v1",
        *([f"Authorization: Bearer {token}"] if token else []),
        *lines,
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


class Peer:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send, as far as the server still takes it."""
        with suppress(OSError):
            self.writer.write(data)
            await self.writer.drain()

    async def head(self) -> str:
        """Read the head of the answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")

    async def upgrade(self, url: str, token: str | None, *lines: str) -> str:
        """Begin a WebSocket; give the head of the answer."""
        await self.send(handshake(url, token, *lines))
        return await self.head()

    async def receive(self) -> Frame | None:
        """Read a frame, answering pings. None: the connection is over."""
        while (got := await self._read()) is not None and got.opcode == PING:
            await self.send(frame(got.payload, PONG))
        return got

    async def _read(self) -> Frame | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                first, length = await self.reader.readexactly(2)
                if length == 126:
                    [length] = struct.unpack("!H", await self.reader.readexactly(2))
                elif length == 127:
                    [length] = struct.unpack("!Q", await self.reader.readexactly(8))
                return Frame(first & 0x0F, await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def close_code(self) -> int | None:
        """Read until the server closes; give its code. None: it hung up without a word."""
        while (got := await self.receive()) is not None:
            if got.opcode == CLOSE:
                return got.close_code
        return None

    async def ended(self) -> bytes:
        """Read to the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            with suppress(OSError):
                return await self.reader.read()
        return b""


@asynccontextmanager
async def peer(url: str, *, receive_buffer: int | None = None) -> AsyncIterator[Peer]:
    """Connect to a server."""
    place = urlsplit(url)
    raw = socket.socket()
    if receive_buffer is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (place.hostname, place.port))
    limit = receive_buffer or 2**16
    reader, writer = await asyncio.open_connection(sock=raw, limit=limit)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def resident_bytes(pid: int | None = None) -> int:
    """Tell how much memory a process has."""
    with open(f"/proc/{pid or os.getpid()}/statm", encoding="ascii") as told:  # noqa: PTH123
        return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
