"""TLS sessions are resumed with the same host only, whichever library opens the connection."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from anyio.streams.tls import TLSAttribute

from server.proxy import authority
from server.transport.resuming import ResumingContext, resuming_like

NAMES = ["127.0.0.1", "localhost"]


@asynccontextmanager
async def echo(folder: Path) -> AsyncIterator[tuple[int, ResumingContext]]:
    """Serve TLS; yield the port, and a client's context."""
    identity = authority.own(folder, NAMES, now=datetime.now(UTC))
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(identity.certificate, identity.key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
    assert identity.authority is not None
    strict = ssl.create_default_context(cadata=identity.authority)
    context = resuming_like(strict, identity.authority)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (context.verify_flags, context.options) == (strict.verify_flags, strict.options)
    async with server:
        yield server.sockets[0].getsockname()[1], context


async def by_asyncio(port: int, context: ssl.SSLContext, host: str) -> bool:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=host
    )
    writer.write(b"hello")
    assert await reader.read(100) == b"hello"
    is_reused: bool = writer.get_extra_info("ssl_object").session_reused
    writer.close()
    return is_reused


async def by_anyio(port: int, context: ssl.SSLContext, host: str) -> bool:
    stream = await anyio.connect_tcp(
        "127.0.0.1",
        port,
        tls=True,
        ssl_context=context,
        tls_hostname=host,
        tls_standard_compatible=False,
    )
    async with stream:
        await stream.send(b"hello")
        assert await stream.receive(100) == b"hello"
        reused = stream.extra(TLSAttribute.ssl_object).session_reused
        return bool(reused)


@pytest.mark.parametrize("connect", [by_asyncio, by_anyio])
async def test_a_session_is_resumed_with_its_host_only(tmp_path: Path, connect: object) -> None:
    opening = by_asyncio if connect is by_asyncio else by_anyio
    async with asyncio.timeout(60), echo(tmp_path) as (port, context):
        assert not await opening(port, context, "localhost")
        assert await opening(port, context, "localhost")
        assert await opening(port, context, "localhost")
        assert not await opening(port, context, "127.0.0.1")
        assert await opening(port, context, "127.0.0.1")


def test_a_connection_begins_while_another_is_in_its_handshake() -> None:
    """The session of an incomplete handshake cannot be read: as uvloop begins many at once."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    for _ in range(3):
        begun = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            begun.do_handshake()


async def test_connections_at_once_may_share_a_session(tmp_path: Path) -> None:
    async with asyncio.timeout(60), echo(tmp_path) as (port, context):
        assert not await by_asyncio(port, context, "localhost")
        reused = await asyncio.gather(*(by_asyncio(port, context, "localhost") for _ in range(10)))
        assert all(reused)


async def test_a_server_that_was_made_anew_is_verified_again(tmp_path: Path) -> None:
    """Nothing is resumed with a server that has not the first one's keys."""
    async with asyncio.timeout(60), echo(tmp_path / "one") as (port, context):
        assert not await by_asyncio(port, context, "localhost")
    async with asyncio.timeout(60), echo(tmp_path / "two") as (port, _):
        with pytest.raises(ssl.SSLCertVerificationError):
            await by_asyncio(port, context, "localhost")
