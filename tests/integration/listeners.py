"""A server with all three ports, and raw connections to each of them.

API       plain HTTP: the API and the page
PROXY     TLS: the Kubernetes API proxy; without a credential it answers 401
APPS      plain HTTP: published apps; a host name that stands for nothing is answered 404
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from server.config import Settings
from tests.integration.by_hand import Peer
from tests.integration.conftest import LabServer, serving
from tests.ports import free_port

API: Final = "api"
PROXY: Final = "proxy"
APPS: Final = "apps"
LISTENERS: Final = (API, PROXY, APPS)
PATIENCE_SECONDS: Final = 20.0


def without_verification() -> ssl.SSLContext:
    """Return what takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class Listeners:
    """A server and its ports."""

    server: LabServer
    ports: dict[str, int]

    @asynccontextmanager
    async def connected(
        self, listener: str, *, host: str = "127.0.0.1", source: str = "", tls: bool = True
    ) -> AsyncIterator[Peer]:
        """Connect to a port from an address; over TLS where it speaks that, unless told not to."""
        context = without_verification() if listener == PROXY and tls else None
        reader, writer = await asyncio.open_connection(
            host,
            self.ports[listener],
            ssl=context,
            local_addr=(source, 0) if source else None,
        )
        try:
            yield Peer(reader, writer)
        finally:
            writer.transport.abort()


@asynccontextmanager
async def listeners(settings: Settings, **more: object) -> AsyncIterator[Listeners]:
    """Run a server with all its ports."""
    ports = {"proxy_port": free_port(), "apps_port": free_port()}
    async with serving(settings.model_copy(update={**ports, **more})) as server:
        yield Listeners(
            server,
            {API: settings.port, PROXY: ports["proxy_port"], APPS: ports["apps_port"]},
        )


def statuses_in(answers: bytes) -> list[int]:
    """Return the status of each answer in what a server sent; each has to be whole."""
    found: list[int] = []
    while answers:
        head, mark, answers = answers.partition(b"\r\n\r\n")
        assert mark, head
        status, *lines = head.split(b"\r\n")
        assert status.startswith(b"HTTP/1.1 "), status
        found.append(int(status.split(b" ")[1]))
        headers = dict(line.lower().split(b": ", 1) for line in lines)
        if b"content-length" in headers:
            length = int(headers[b"content-length"])
            assert len(answers) >= length
            answers = answers[length:]
        elif headers.get(b"transfer-encoding") == b"chunked":
            while size := int(answers.partition(b"\r\n")[0], 16):
                answers = answers.partition(b"\r\n")[2][size + 2 :]
            answers = answers.removeprefix(b"0\r\n\r\n")
    return found
