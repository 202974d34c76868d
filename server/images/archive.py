"""An archive of images on its way in: what it begins with, how long it is, whether it stalls."""

import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

import anyio
import anyio.to_thread

from server.errors import ImageRefused, TooLarge
from server.images.members import Members

STALL_SECONDS: Final = 60.0
"""So long nothing may come of it."""
RATE_SECONDS: Final = 300.0
RATE_BYTES: Final = 64 * 1024
"""Of waiting, `RATE_SECONDS` at a time, each second has to bring so much on average: a slow
connection by radio does, somebody who only keeps a place does not."""
LONGEST_SECONDS: Final = 3600.0
"""So long may be waited in all; 8 GiB come in 12 minutes over 100 Mbit/s."""
_TAR: Final = slice(257, 262)
"""Where a tar archive says that it is one (POSIX.1-1988, `ustar`)."""
_GZIP: Final = b"\x1f\x8b"
"""RFC 1952, 2.3.1."""
_UNPACK: Final = 16 + zlib.MAX_WBITS
"""zlib's way of saying gzip."""
_PIECE_BYTES: Final = 1024 * 1024
"""At most so much is unpacked at once: a few bytes may stand for many."""


class Archive:
    """Passes on what comes of an archive, unpacked and counted. To be read once."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        *,
        most_bytes: int,
        stall_seconds: float = STALL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`most_bytes`: as sent, and unpacked. `clock` is monotonic seconds."""
        self._pieces = pieces
        self._most_bytes = most_bytes
        self._stall_seconds = stall_seconds
        self._clock = clock
        self._pace = _Pace()
        self._members = Members()
        self.size_bytes = 0
        """So much has come by now, as it was sent."""

    async def plain(self) -> AsyncGenerator[bytes]:
        """Give the tar archive; one that is compressed by gzip is unpacked on the way.

        Raises:
            ImageRefused: it is no archive, has too many members, or nothing more comes of it.
            TooLarge: it is longer than it may be.
        """
        async with aclosing(self._received()) as received:
            first = b""
            while len(first) < len(_GZIP) and (more := await anext(received, b"")):
                first += more
            pieces = _joined(first, received)
            if first.startswith(_GZIP):
                pieces = _unpacked(pieces)
            async with aclosing(_checked(pieces)) as checked:
                total = 0
                async for piece in checked:
                    total += len(piece)
                    self._refuse_more_than(total)
                    self._members.look(piece)
                    yield piece

    async def _received(self) -> AsyncGenerator[bytes]:
        while True:
            since = self._clock()
            try:
                with anyio.fail_after(self._stall_seconds):
                    piece = await anext(self._pieces, None)
            except TimeoutError as error:
                raise ImageRefused(
                    f"nothing more of the archive came for {self._stall_seconds:g} s, after "
                    f"{self.size_bytes} bytes",
                    fix="send it again, over a connection that holds",
                ) from error
            if piece is None:
                return
            self.size_bytes += len(piece)
            self._refuse_more_than(self.size_bytes)
            self._pace.check(len(piece), self._clock() - since)
            if piece:
                yield piece

    def _refuse_more_than(self, size: int) -> None:
        if size > self._most_bytes:
            raise TooLarge(
                f"the archive has more than {self._most_bytes} bytes",
                fix="load fewer images at once, or let the operator raise "
                "PYK8S_IMAGE_ARCHIVE_BYTES",
            )


class _Pace:
    """How fast an archive comes. The time in which nobody waits for it does not count."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._in_window = 0.0
        self._bytes_in_window = 0

    def check(self, size: int, seconds: float) -> None:
        """Count what came after how long.

        Raises:
            ImageRefused: it takes too long.
        """
        self._waited += seconds
        self._in_window += seconds
        self._bytes_in_window += size
        if self._waited > LONGEST_SECONDS:
            raise ImageRefused(
                f"the archive was waited for for more than {LONGEST_SECONDS:g} s",
                fix="load fewer images at once, or from nearer to the server",
            )
        if self._in_window < RATE_SECONDS:
            return
        rate = self._bytes_in_window / self._in_window
        if rate < RATE_BYTES:
            raise ImageRefused(
                f"the archive comes too slowly: {rate:.0f} bytes/s in the last "
                f"{self._in_window:.0f} s, and {RATE_BYTES} bytes/s is the least",
                fix="send it from nearer to the server, or let the cluster pull the image",
            )
        self._in_window, self._bytes_in_window = 0.0, 0


async def _joined(first: bytes, others: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    if first:
        yield first
    async for piece in others:
        yield piece


async def _unpacked(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    unpacking = zlib.decompressobj(_UNPACK)
    async for piece in pieces:
        left = piece
        while left and not unpacking.eof:
            try:
                out = await anyio.to_thread.run_sync(unpacking.decompress, left, _PIECE_BYTES)
            except zlib.error as error:
                raise _no_archive(f"what was sent cannot be unpacked: {error}") from error
            left = unpacking.unconsumed_tail
            if out:
                yield out
    if not unpacking.eof:
        raise _no_archive("what was sent is cut short")
    if rest := unpacking.flush():
        yield rest


async def _checked(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Hold the beginning back until it tells that it is a tar archive."""
    head, is_checked = b"", False
    async for piece in pieces:
        head += piece
        if is_checked or len(head) >= _TAR.stop:
            if not is_checked and head[_TAR] != b"ustar":
                break
            is_checked = True
            yield head
            head = b""
    if not is_checked:
        raise _no_archive("what was sent is no archive of images" if head else "nothing was sent")


def _no_archive(cause: str) -> ImageRefused:
    return ImageRefused(cause, fix="send what `docker save IMAGE` writes, as it is or gzipped")
