"""Upgraded connections: exec, attach, cp and port-forward.

After both sides have agreed on a WebSocket or on SPDY/3.1 the bytes pass as they are: what is
spoken in the tunnel is between them, and neither protocol is parsed here.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

import anyio
import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from server.proxy import switching
from server.proxy.passage import Asked, Gate, peer_of
from server.proxy.refusals import Headers, OwnAnswer
from server.proxy.switching import Switched
from server.proxy.upgrades import Upgrade, check_handshake, protocol_of
from server.telemetry import get_logger
from server.transport.guarded_http import GuardedHttp
from server.transport.joining import PIECE_BYTES, join

log = get_logger(__name__)


BODY_WINDOW_SECONDS: Final = 60.0
BODY_BYTES_PER_WINDOW: Final = 8 * 1024
"""A body may be large, so the whole of it has no deadline. A client that sends less than this in
such a time is cut off. What holds a stream open for longer is a tunnel, which this does not
concern."""


class ProxyHttp(GuardedHttp):
    """HTTP/1.1 whose upgrades become tunnels, and whose bodies may be as long as they like."""

    keeps_bodies = False
    _body_bytes = 0
    _was_paused = False

    def __init__(self, *args: Any, gate: Gate, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gate = gate

    def on_body(self, body: bytes) -> None:
        """Count what has come in this window."""
        self._body_bytes += len(body)
        super().on_body(body)

    def _expect_body(self) -> None:
        self._stop_expecting()
        self._body_bytes, self._was_paused = 0, self.flow.read_paused
        self._deadline = self.loop.call_later(BODY_WINDOW_SECONDS, self._check_rate)

    def _check_rate(self) -> None:
        """Cut off a client that sends too slowly, unless it was kept from sending."""
        is_held = self._was_paused or self.flow.read_paused
        if self._body_bytes < BODY_BYTES_PER_WINDOW and not is_held:
            self._look_once_more()
        else:
            self._expect_body()

    def _should_upgrade(self) -> bool:
        return self._upgrade_asked() is not None

    def _upgrade_asked(self) -> Upgrade | None:
        return protocol_of(self._get_upgrade(), self._gate.upgrades)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to a tunnel, of whichever protocol."""
        self.hand_over()
        self.connections.discard(self)
        reader = asyncio.StreamReader(limit=PIECE_BYTES, loop=self.loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self.loop)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        writer = asyncio.StreamWriter(self.transport, protocol, reader, self.loop)
        url = httptools.parse_url(self.url)
        asked = Asked(
            self.scope["method"],
            url.path or b"/",
            url.query or b"",
            list(self.scope["headers"]),
            peer_of(self.scope),
            upgrade=self._upgrade_asked(),
        )
        task = self.loop.create_task(_serve(self._gate, asked, reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _serve(
    gate: Gate, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        await _tunnel(gate, asked, reader, writer)
    except OwnAnswer as answer:
        body = answer.body()
        _write_head(writer, answer.code, answer.headers(body))
        writer.write(body)
    except (OSError, TimeoutError, EOFError):
        pass  # one of the two has gone, and nobody is left to be told
    except Exception:
        log.exception("tunnel_failed")
    finally:
        writer.close()


async def _tunnel(
    gate: Gate, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    assert asked.upgrade is not None
    passage = await gate.admit(asked)
    check_handshake(asked.upgrade, asked.method, asked.headers)
    log.info("tunnel_opened", protocol=asked.upgrade.token.decode(), **passage.log)
    with passage.opened() as request:
        with request.scope:
            try:
                async with switching.asked(passage, asked.method, asked.upgrade) as answer:
                    headers = passage.give_back(answer.headers)
                    await _answer(answer, asked.upgrade, headers, reader, writer)
            except switching.Unanswered as error:
                raise passage.unanswered(str(error)) from error
        if request.has_ended:
            writer.transport.abort()


async def _answer(
    answer: Switched,
    upgrade: Upgrade,
    headers: Headers,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    if not answer.has_agreed:
        _write_head(writer, answer.status, [*headers, (b"connection", b"close")])
        writer.write(answer.rest)
        return
    agreed = [(b"connection", b"Upgrade"), (b"upgrade", upgrade.token)]
    _write_head(writer, answer.status, [*agreed, *headers])
    writer.write(answer.rest)
    with suppress(anyio.BrokenResourceError):  # who is at the other end has seen it break
        await join(reader, writer, answer.stream)


def _write_head(writer: asyncio.StreamWriter, status: int, headers: Headers) -> None:
    writer.write(STATUS_LINE[status])
    writer.write(b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n")
