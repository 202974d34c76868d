"""Compression of answers with gzip, for routes whose answers carry no secret.

Only what is written as a whole, or as a text that has an end, is compressed. A live stream is not:
its lines would wait in the compressor.
"""

import os
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from http import HTTPStatus
from typing import Final

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse

LEVEL: Final = 1
"""The cheapest one: a page of 1 MB of events becomes 36 kB in 1 ms, by level 9 31 kB in 5 ms."""

MIN_BYTES: Final = 1024
"""A smaller answer fits into one packet anyway."""

INLINE_BYTES: Final = 16 * 1024
"""Up to here a change of thread takes longer than the compression itself."""

MAX_BYTES: Final = 32 * 1024 * 1024
"""A larger answer goes out as it is: it would keep a thread for a second."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_COMPRESSED: Final = frozenset({"application/json", "text/plain"})
NO_TRANSFORM: Final = "no-transform"
"""Keeps what stands in between from compressing an answer itself (RFC 9111, 5.2.2.6)."""


def gzip(body: bytes) -> bytes:
    """Return a body compressed; the same bytes for the same body."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    return compressor.compress(body) + compressor.flush()


def accepts_gzip(headers: Headers) -> bool:
    """Return whether a client takes gzip, and likes nothing better (RFC 9110, 12.5.3)."""
    qualities: dict[str, float] = {}
    for part in ",".join(headers.getlist("accept-encoding")).lower().split(","):
        coding, _, parameter = part.partition(";")
        qualities[coding.strip().removeprefix("x-")] = _quality(parameter)
    wanted = qualities.get("gzip", qualities.get("*", 0.0))
    return wanted > 0 and wanted >= qualities.get("identity", 0.0)


def _quality(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0  # an encoding that is not asked for clearly is not sent


class Compressor:
    """Compresses in a bounded number of threads. While all are busy, answers go out as they are.

    So a flood of large answers takes a part of the processors at most, and no answer waits for a
    thread before its first byte.
    """

    def __init__(
        self, threads: int | None = None, *, compress: Callable[[bytes], bytes] = gzip
    ) -> None:
        """`threads`: half of the processors if it is not given."""
        self._most = threads or max(1, (os.cpu_count() or 1) // 2)
        self._limiter = anyio.CapacityLimiter(self._most)
        self._compress = compress
        self._busy = 0

    async def body(self, body: bytes) -> bytes | None:
        """Return a body compressed. None: it is to go out as it is."""
        if not MIN_BYTES <= len(body) <= MAX_BYTES:
            return None
        if len(body) <= INLINE_BYTES:
            return self._compress(body)
        if self._busy >= self._most:
            return None
        self._busy += 1
        try:
            return await anyio.to_thread.run_sync(self._compress, body, limiter=self._limiter)
        finally:
            self._busy -= 1

    @property
    def is_busy(self) -> bool:
        """Whether no thread is free."""
        return self._busy >= self._most

    async def pieces(self, pieces: AsyncIterable[str | bytes | memoryview]) -> AsyncIterator[bytes]:
        """Yield a text that comes in pieces, compressed; each piece waits for a thread."""
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        async for piece in pieces:
            raw = piece.encode() if isinstance(piece, str) else bytes(piece)
            done = await anyio.to_thread.run_sync(compressor.compress, raw, limiter=self._limiter)
            if done:
                yield done
        yield compressor.flush()


async def compressed(response: Response, request_headers: Headers, using: Compressor) -> Response:
    """Compress an answer that carries no secret, if the client takes that and it is worth it."""
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        return response
    media_type = response.headers.get("content-type", "").partition(";")[0]
    is_live = isinstance(response, StreamingResponse) and type(response) is not StreamingResponse
    if is_live or media_type not in _COMPRESSED:
        return untransformed(response)
    response.headers.add_vary_header("Accept-Encoding")
    if not accepts_gzip(request_headers):
        return response
    if isinstance(response, StreamingResponse):
        if not using.is_busy:
            response.body_iterator = using.pieces(response.body_iterator)
            response.headers["Content-Encoding"] = "gzip"
        return response
    body = await using.body(bytes(response.body))
    if body is not None:
        response.body = body
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(body))
    return response


def untransformed(response: Response) -> Response:
    """Let an answer reach the client as it is: it may carry a secret, or is a live stream.

    Who can make a browser ask, adds text to the answer and sees its compressed length learns a
    secret beside that text letter by letter (BREACH).
    """
    kept = response.headers.get("cache-control")
    response.headers["Cache-Control"] = f"{kept}, {NO_TRANSFORM}" if kept else NO_TRANSFORM
    return response
