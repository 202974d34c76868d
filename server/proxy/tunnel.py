"""Upgraded connections: exec, attach, cp and port-forward.

After both sides have agreed the bytes pass as they are: what is spoken in the tunnel is between
kubectl and the cluster, and a subprotocol that no WebSocket library would take passes too.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httptools
from anyio.streams.tls import TLSStream
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from server.proxy import headers as rules
from server.proxy import switching
from server.proxy.refusals import Headers, Refusal
from server.proxy.relay import Admission
from server.proxy.switching import Switched
from server.telemetry import get_logger
from server.transport.guarded import GuardedHttp

PIECE_BYTES: Final = 64 * 1024

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request for a tunnel."""

    method: str
    url: bytes
    headers: Headers


class ProxyHttp(GuardedHttp):
    """HTTP/1.1 whose upgrades become tunnels, and whose bodies may take their time."""

    def __init__(self, *args: Any, admission: Admission, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._admission = admission

    def on_headers_complete(self) -> None:
        """Be content with the head: who sends a large body is known, and may be slow."""
        super().on_headers_complete()
        self._stop_expecting()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to a tunnel."""
        self._stop_expecting()
        self.connections.discard(self)
        upgrade = Upgrade(self.scope["method"], self.url, list(self.scope["headers"]))
        reader = asyncio.StreamReader(limit=PIECE_BYTES, loop=self.loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self.loop)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        writer = asyncio.StreamWriter(self.transport, protocol, reader, self.loop)
        task = self.loop.create_task(_serve(self._admission, upgrade, reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _serve(
    admission: Admission,
    upgrade: Upgrade,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    try:
        await _tunnel(admission, upgrade, reader, writer)
    except Refusal as refusal:
        body = refusal.body()
        _write_head(writer, refusal.code, refusal.headers(body))
        writer.write(body)
    except (OSError, TimeoutError, EOFError):
        pass  # one of the two has gone, and nobody is left to be told
    except Exception:
        log.exception("tunnel_failed")
    finally:
        writer.close()


async def _tunnel(
    admission: Admission,
    upgrade: Upgrade,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    url = httptools.parse_url(upgrade.url)
    grant, wanted, upstream = await admission.admit(url.path, upgrade.headers)
    _check_handshake(upgrade)
    log.info(
        "tunnel_opened",
        user=grant.username,
        cluster_id=str(grant.cluster_id),
        path=wanted.path.decode("ascii"),
    )
    with admission.grants.opened(grant) as request:
        with request.scope:
            question = switching.Question(
                target=wanted.path + (b"?" + url.query if url.query else b""),
                headers=rules.towards_cluster(upgrade.headers, grant.username, upgrade=True),
            )
            async with switching.asked(upstream, question) as answer:
                headers = rules.towards_client(answer.headers, wanted.prefix)
                await _answer(answer, headers, reader, writer)
        if request.has_ended:
            writer.transport.abort()


def _check_handshake(upgrade: Upgrade) -> None:
    """See that it is the handshake of a WebSocket and nothing else.

    Raises:
        Refusal: it is not.
    """
    found = dict(upgrade.headers)
    if (
        upgrade.method != "GET"
        or found.get(b"upgrade", b"").lower() != b"websocket"
        or b"sec-websocket-key" not in found
        or found.get(b"sec-websocket-version") != b"13"
        or found.get(b"content-length", b"0") != b"0"
        or b"transfer-encoding" in found
    ):
        raise Refusal(400, "BadRequest", "this is no handshake of a WebSocket (RFC 6455)")


async def _answer(
    answer: Switched, headers: Headers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    if not answer.has_agreed:
        _write_head(writer, answer.status, [*headers, (b"connection", b"close")])
        writer.write(answer.rest)
        return
    agreed = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
    _write_head(writer, answer.status, [*agreed, *headers])
    writer.write(answer.rest)
    await _pass(reader, writer, answer.stream)


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cluster: TLSStream
) -> None:
    """Pass bytes both ways until one side has closed, and all that it said is passed on."""
    async with anyio.create_task_group() as tasks:

        async def to_cluster() -> None:
            with suppress(OSError, anyio.BrokenResourceError):
                while piece := await reader.read(PIECE_BYTES):
                    await cluster.send(piece)
            tasks.cancel_scope.cancel()

        async def to_client() -> None:
            with suppress(OSError, anyio.BrokenResourceError):
                async for piece in cluster:
                    writer.write(piece)
                    await writer.drain()
            tasks.cancel_scope.cancel()

        tasks.start_soon(to_cluster)
        tasks.start_soon(to_client)


def _write_head(writer: asyncio.StreamWriter, status: int, headers: Headers) -> None:
    writer.write(STATUS_LINE[status])
    writer.write(b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n")
