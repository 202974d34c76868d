"""The other side of an upgrade: to ask for it, and to see what the answer is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import anyio
import h11
from anyio.abc import ByteStream

from server.drivers.kube_http import CONNECT_SECONDS
from server.proxy.passage import Passage
from server.proxy.refusals import Headers, Refusal
from server.proxy.upgrades import Upgrade, is_agreed

ANSWER_SECONDS: Final = 30.0
"""So long it may take to agree; a cluster starts the process in between."""

PIECE_BYTES: Final = 64 * 1024
MAX_REFUSAL_BYTES: Final = 64 * 1024
AGREED: Final = 101
REFUSED: Final = 400
"""From here on, it is a refusal that a client understands."""


@dataclass(frozen=True, slots=True)
class Switched:
    """What the cluster answered, and the connection to it."""

    status: int
    headers: Headers
    rest: bytes
    """Of a refusal its body; else the first bytes of the tunnel."""
    stream: ByteStream

    @property
    def has_agreed(self) -> bool:
        """Whether there is a tunnel now."""
        return self.status == AGREED


class Unanswered(Exception):
    """There was no answer; says what happened instead."""


@asynccontextmanager
async def asked(passage: Passage, method: str, upgrade: Upgrade) -> AsyncIterator[Switched]:
    """Ask for an upgrade; the connection is gone when the context ends.

    Raises:
        Unanswered: nobody is there, or what comes is no answer.
        Refusal: the answer is something else than an upgrade or a refusal.
    """
    try:
        with anyio.fail_after(CONNECT_SECONDS):
            stream = await passage.dial()
    except (OSError, TimeoutError) as error:
        raise Unanswered("does not answer") from error
    try:
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                asking = h11.Request(
                    method=method,
                    target=passage.target,
                    headers=[
                        (b"host", passage.host),
                        (b"connection", b"Upgrade"),
                        (b"upgrade", upgrade.token),
                        *passage.headers,
                    ],
                )
                switched = await _handshake(stream, asking, upgrade)
        except h11.LocalProtocolError as error:
            raise Refusal(
                400, "BadRequest", "a header or the target cannot be passed on"
            ) from error
        except (h11.RemoteProtocolError, anyio.BrokenResourceError, TimeoutError) as error:
            raise Unanswered("gave no answer to an upgrade") from error
        yield switched
    finally:
        await anyio.aclose_forcefully(stream)


async def _handshake(stream: ByteStream, asking: h11.Request, upgrade: Upgrade) -> Switched:
    http = h11.Connection(h11.CLIENT)
    await stream.send((http.send(asking) or b"") + (http.send(h11.EndOfMessage()) or b""))
    while True:
        answer = await _next(http, stream)
        if isinstance(answer, h11.InformationalResponse) and answer.status_code != AGREED:
            continue  # 100, 103: the answer comes later
        break
    found = list(answer.headers)
    if answer.status_code == AGREED:
        if not is_agreed(upgrade, found):
            raise Refusal(502, "BadGateway", "it switched to something else than asked")
        return Switched(AGREED, found, http.trailing_data[0], stream)
    if answer.status_code < REFUSED:
        raise Refusal(502, "BadGateway", f"an upgrade was answered {answer.status_code}")
    body = b""
    while len(body) < MAX_REFUSAL_BYTES and isinstance(
        piece := await _next(http, stream), h11.Data
    ):
        body += piece.data
    body = body[:MAX_REFUSAL_BYTES]
    kept = [(name, value) for name, value in found if name != b"content-length"]
    kept.append((b"content-length", str(len(body)).encode()))
    return Switched(answer.status_code, kept, body, stream)


async def _next(http: h11.Connection, stream: ByteStream) -> Any:
    while (event := http.next_event()) is h11.NEED_DATA:
        try:
            http.receive_data(await stream.receive(PIECE_BYTES))
        except anyio.EndOfStream:
            http.receive_data(b"")
    if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
        raise h11.RemoteProtocolError("closed before it had answered")
    return event
