"""The proxy's own port: TLS, HTTP/1.1 and tunnels, beside the server's other one."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import anyio
import uvicorn

from server.config import Settings
from server.proxy import authority
from server.proxy.authority import Identity
from server.proxy.passage import Gate
from server.proxy.relay import Relay
from server.proxy.tunnel import ProxyHttp
from server.transport.accepting import AcceptPolicy
from server.transport.listening import IDLE_SECONDS
from server.transport.serving import CalmServer
from server.transport.unfinished import Unfinished
from server.transport.unsent import Unsent

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names that the certificate always has: kubeconfigs of this machine use them."""
GRACE_SECONDS: Final = 2


def names_of(settings: Settings) -> list[str]:
    """Give the host names and addresses under which people may reach this server."""
    told = [settings.host, settings.published_host, settings.host_name]
    if settings.proxy_url is not None:
        told.append(urlsplit(settings.proxy_url).hostname)
    every = {*LOOPBACK, *(each for each in told if each)}
    return sorted(name for name in every if not _is_any_address(name))


def _is_any_address(name: str) -> bool:
    try:
        return ip_address(name).is_unspecified
    except ValueError:
        return False


def identity_of(settings: Settings) -> Identity:
    """Give what the listener shows.

    Raises:
        StartFailed: it cannot be read or made.
    """
    if settings.tls_certificate is not None and settings.tls_key is not None:
        return authority.given(settings.tls_certificate, settings.tls_key, settings.tls_authority)
    return authority.own(settings.data_dir / "tls", names_of(settings), now=datetime.now(UTC))


class ProxyServer(CalmServer):
    """Ends what is open when it stops, and leaves the signals to the other server."""

    def __init__(self, config: uvicorn.Config, gate: Gate, policy: AcceptPolicy) -> None:
        super().__init__(config, policy)
        self._gate = gate

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody new, end what is open, then stop as uvicorn does."""
        for server in self.servers:
            server.close()
        self._gate.stop()
        await super().shutdown(sockets)


@asynccontextmanager
async def proxying(
    listener: socket.socket, identity: Identity | None, gate: Gate, policy: AcceptPolicy
) -> AsyncIterator[None]:
    """Relay on a socket while the context lasts. `identity`: None for plain http."""
    config = uvicorn.Config(
        Relay(gate),
        http=partial(  # type: ignore[arg-type]
            ProxyHttp, gate=gate, unsent=Unsent(), unfinished=Unfinished()
        ),
        lifespan="off",
        ssl_certfile=identity.certificate if identity is not None else None,
        ssl_keyfile=identity.key if identity is not None else None,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        log_config=None,
    )
    server = ProxyServer(config, gate, policy)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(server.serve, sockets=[listener]))
        try:
            yield
        finally:
            server.should_exit = True
