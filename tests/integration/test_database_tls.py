"""TLS to PostgreSQL: asked for by the address, and used by everything that connects."""

import asyncio
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from server.backup.taking import take
from server.config import Settings
from server.errors import StartFailed
from server.proxy import authority
from server.store import dump
from server.store.embedded_home import SOCKET_NAME
from tests.integration.conftest import serving, sign_up

SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
"""What a client sends first that wants TLS (PostgreSQL's protocol, 55.2.12)."""


class Front:
    """Speaks PostgreSQL's TLS in front of one that has only a socket; counts who came how."""

    def __init__(self, socket_url: str, tls: ssl.SSLContext | None) -> None:
        self._parts = urlsplit(socket_url)
        self._tls = tls
        self.port = 0
        self.protected = self.refused = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield
        # Leaving closes the listener; relays end with their connections.

    def url(self, query: str, *, host: str = "127.0.0.1") -> str:
        return f"postgresql://pyk8s@{host}:{self.port}{self._parts.path}{query}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(8) != SSL_REQUEST or self._tls is None:
                self.refused += 1
                writer.write(b"N")
                writer.close()
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self._tls)
            self.protected += 1
            socket = parse_qs(self._parts.query)["host"][0] + "/" + SOCKET_NAME
            upstream = await asyncio.open_unix_connection(socket)
            await asyncio.gather(_relay(reader, upstream[1]), _relay(upstream[0], writer))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@dataclass(frozen=True)
class Remote:
    """A PostgreSQL that is reached by TLS only; its certificate names 127.0.0.1."""

    front: Front
    root: Path


@pytest.fixture
async def remote(tmp_path: Path, database_url: str) -> AsyncIterator[Remote]:
    made = authority.own(tmp_path / "tls", ["127.0.0.1"], now=datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    front = Front(database_url, context)
    async with front.serving():
        yield Remote(front, tmp_path / "tls" / "ca.pem")


def named(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(url)})


async def test_verified_from_the_first_connection_to_the_backup(
    remote: Remote, settings: Settings
) -> None:
    settings = named(settings, remote.front.url(f"?sslmode=verify-full&sslrootcert={remote.root}"))
    async with serving(settings) as server:
        ann = await sign_up(server, "ann")
        await ann.until((await ann.create(name="demo"))["id"], "ready")
        assert (await take(settings, io.BytesIO())).tables
        await ann.http.aclose()
    # The pool, the listener, the migrations and the backup.
    assert remote.front.protected >= 4
    assert remote.front.refused == 0


async def refusal(settings: Settings, url: str) -> StartFailed:
    with pytest.raises(StartFailed) as refused:
        async with serving(named(settings, url)):
            pass
    with pytest.raises(StartFailed):
        await dump.servers_on(url)
    return refused.value


async def test_another_authority_is_refused_in_words(
    remote: Remote, settings: Settings, tmp_path: Path
) -> None:
    authority.own(tmp_path / "other", ["127.0.0.1"], now=datetime.now(UTC))
    other = tmp_path / "other" / "ca.pem"
    told = await refusal(settings, remote.front.url(f"?sslmode=verify-full&sslrootcert={other}"))
    assert "PostgreSQL on 127.0.0.1 is not trusted: " in told.detail
    assert "self-signed" in told.detail or "unable to get local issuer" in told.detail
    assert "sslrootcert" in (told.fix or "")


async def test_another_name_is_refused_in_words(remote: Remote, settings: Settings) -> None:
    query = f"?sslmode=verify-full&sslrootcert={remote.root}"
    told = await refusal(settings, remote.front.url(query, host="localhost"))
    assert "mismatch" in told.detail
    # verify-ca takes any name, require anybody.
    for mode in (f"?sslmode=verify-ca&sslrootcert={remote.root}", "?sslmode=require"):
        assert await dump.servers_on(remote.front.url(mode, host="localhost")) == 0


async def test_a_postgresql_without_tls_is_refused_in_words(
    database_url: str, settings: Settings
) -> None:
    front = Front(database_url, None)
    async with front.serving():
        told = await refusal(settings, front.url("?sslmode=require"))
    assert "it does not speak TLS" in told.detail


async def test_a_file_that_is_not_there_is_named(remote: Remote, settings: Settings) -> None:
    told = await refusal(
        settings, remote.front.url("?sslmode=verify-full&sslrootcert=/none/ca.pem")
    )
    assert "/none/ca.pem" in told.detail
