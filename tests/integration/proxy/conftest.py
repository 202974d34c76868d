"""A proxy before a scripted API server that keeps every byte of the heads that reach it.

api       the scripted API server
site      a server with a proxy, two clusters of ann whose way in is the scripted one
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import pytest
from sqlalchemy import update

from server.config import Settings
from server.proxy import authority
from server.proxy.authority import Identity
from server.store.access_tables import AccessRow
from tests.integration.conftest import Caller, LabServer, serving, sign_up
from tests.ports import free_port

LINE_SECONDS = 0.02


@dataclass
class ScriptedApi:
    """Answers by the path; see `_answer`."""

    identity: Identity
    port: int = 0
    tls: ssl.SSLContext | None = None
    heads: list[bytes] = field(default_factory=list)
    watches: int = 0
    """Open now."""
    sent: int = 0
    """Bytes of the last endless tunnel that were taken."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Give the headers of the last request, as they came."""
        return [
            (name.lower(), value.strip())
            for line in self.heads[-1].split(b"\r\n")[1:]
            if line
            for name, _, value in [line.partition(b":")]
        ]

    def target(self) -> bytes:
        return self.heads[-1].split(b" ")[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head.removesuffix(b"\r\n\r\n"))
                if await self._answer(reader, writer):
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tell whether the connection ends with it."""
        headers = dict(self.headers())
        what = self.target().partition(b"?")[0].rpartition(b"/")[2].decode()
        match what:
            case "watch":
                await self._watch(reader, writer)
                return True
            case "count":
                size = await _read_body(reader, headers)
                writer.write(json_answer({"bytes": size}))
            case str(known) if known in ANSWERS:
                writer.write(_head(*ANSWERS[known]))
            case "half":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nnot all of it")
                return True
            case "silent":
                await reader.read(1)
                return True
            case "tunnel" | "flood" as how:
                await _tunnel(reader, writer, headers, is_flood=how == "flood")
                return True
            case "endless":
                await self._endless(writer)
                return True
            case "websocket-101":
                answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                writer.write(answer + b"connection: upgrade\r\nsec-websocket-accept: x\r\n\r\n")
                return True
            case "other-101":
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n")
                return True
            case "refused-upgrade":
                writer.write(json_answer({"kind": "Status", "message": "no such pod"}, 404))
            case _:
                writer.write(json_answer({"target": self.target().decode()}))
        await writer.drain()
        return False

    async def _endless(self, writer: asyncio.StreamWriter) -> None:
        """Agree, and send as fast as it is taken."""
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-accept: x\r\n\r\n"
        )
        self.sent = 0
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            self.sent += 65536

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        self.watches += 1
        gone = asyncio.create_task(reader.read(1))
        try:
            for number in range(1_000_000):
                line = f"line {number}\n".encode()
                writer.write(b"%x\r\n%s\r\n" % (len(line), line))
                await writer.drain()
                if gone.done():
                    return
                await asyncio.sleep(LINE_SECONDS)
        finally:
            gone.cancel()
            self.watches -= 1


def _head(status: int, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d Said" % status, b"content-length: 0", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def json_answer(content: dict[str, Any], status: int = 200) -> bytes:
    body = json.dumps(content).encode()
    head = b"HTTP/1.1 %d Said\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


ANSWERS: dict[str, tuple[int, *tuple[bytes, ...]]] = {
    "redirect-out": (302, b"location: https://elsewhere.example/"),
    "redirect-in": (301, b"location: /api/v1/"),
    "hop": (
        200,
        b"set-cookie: pyk8s_session=stolen",
        b"connection: x-hop",
        b"x-hop: secret",
        b"etag: kept",
    ),
}


async def _tunnel(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    headers: dict[bytes, bytes],
    *,
    is_flood: bool,
) -> None:
    confirmation = b"x-stream-protocol-version: v4.channel.k8s.io"
    if headers[b"upgrade"] == b"websocket":
        spoken = headers.get(b"sec-websocket-protocol", b"none")
        confirmation = b"sec-websocket-accept: x\r\nsec-websocket-protocol: " + spoken
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: "
        + headers[b"upgrade"]
        + b"\r\n"
        + confirmation
        + b"\r\n\r\n"
    )
    if is_flood:  # all is said, and the connection closed at once
        for number in range(400):
            writer.write(number.to_bytes(4, "big") * 4096)
        return
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()


async def _read_body(reader: asyncio.StreamReader, headers: dict[bytes, bytes]) -> int:
    if b"content-length" in headers:
        return len(await reader.readexactly(int(headers[b"content-length"])))
    size = 0
    while length := int(await reader.readline(), 16):
        await reader.readexactly(length + 2)
        size += length
    await reader.readline()
    return size


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ScriptedApi]:
    identity = authority.own(tmp_path / "api", ["127.0.0.1"], now=datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=identity.authority)
    context.load_cert_chain(identity.certificate, identity.key)
    scripted = ScriptedApi(identity, tls=context)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=context)
    scripted.port = server.sockets[0].getsockname()[1]
    yield scripted
    server.close()


@dataclass(frozen=True, slots=True)
class Site:
    """A server whose two clusters, `mine` and `other`, are the scripted API server."""

    server: LabServer
    api: ScriptedApi
    ann: Caller
    mine: str
    other: str
    credential: dict[str, Any]
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def port(self) -> int:
        port = self.server.state["settings"].listens_for_proxy_on
        assert port is not None
        return port

    @property
    def token(self) -> str:
        return str(self.credential["token"])

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.credential["certificate_authority"])

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trust)
        self._writers.append(writer)
        return reader, writer

    async def hang_up(self) -> None:
        """Close whatever a test has left open."""
        for writer in self._writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def ask(
        self, target: str, *headers: str, method: str = "GET", token: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send exactly these bytes, and give status, headers and body."""
        reader, writer = await self.connect()
        bearer = f"Authorization: Bearer {token or self.token}"
        lines = [f"{method} {target} HTTP/1.1", "Host: proxy", bearer, *headers]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        async with asyncio.timeout(30):
            answer = await read_answer(reader)
        writer.close()
        return answer

    def at(self, path: str) -> str:
        return f"/clusters/{self.mine}{path}"

    async def issue(self) -> dict[str, Any]:
        answer = await self.ann.http.post(
            f"/api/v1/clusters/{self.mine}/credentials", json={"name": "test"}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    status, headers = await read_head(reader)
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while length := int(await reader.readline(), 16):
            body += (await reader.readexactly(length + 2))[:-2]
        return status, headers, body
    return status, headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = [line.partition(": ") for line in head[1:] if line]
    assert len({name.lower() for name, _, _ in pairs}) == len(pairs), head
    return int(head[0].split(" ")[1]), {name.lower(): value for name, _, value in pairs}


@pytest.fixture
async def site(settings: Settings, api: ScriptedApi) -> AsyncIterator[Site]:
    with_proxy = settings.model_copy(update={"proxy_port": free_port()})
    async with serving(with_proxy) as server:
        ann = await sign_up(server, "ann")
        async with ann.http:
            made = [await ann.create(name=name) for name in ("mine", "other")]
            for each in made:
                await ann.until(each["id"], "ready")
                await lead_to(server, each["id"], api)
            asked = {"name": "test"}
            answer = await ann.http.post(
                f"/api/v1/clusters/{made[0]['id']}/credentials", json=asked
            )
            assert answer.status_code == 201, answer.text
            site = Site(server, api, ann, made[0]["id"], made[1]["id"], answer.json())
            yield site
            await site.hang_up()


class AnyApi(Protocol):
    """An API server of a test's own."""

    identity: Identity

    @property
    def url(self) -> str: ...


async def lead_to(server: LabServer, cluster_id: str, api: AnyApi) -> None:
    """Make the scripted API server the one of a simulated cluster."""
    certificate, key = api.identity.certificate.read_bytes(), api.identity.key.read_bytes()
    assert api.identity.authority is not None
    user = {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }
    trusted = base64.b64encode(api.identity.authority.encode()).decode()
    config = {
        "clusters": [{"cluster": {"server": api.url, "certificate-authority-data": trusted}}],
        "users": [{"user": user}],
    }
    sealer = server.state["sealer"]
    async with server.state["database"].transaction() as session:
        await session.execute(
            update(AccessRow)
            .where(AccessRow.cluster_id == UUID(cluster_id))
            .values(
                sealed_kubeconfig=sealer.seal(json.dumps(config).encode()),
                sealed_proxy_identity=sealer.seal(certificate + key),
                internal_url=api.url,
            )
        )


async def asking(
    site: Site, path: str, *headers: str, method: str = "POST"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the head of a request, and leave the connection open."""
    reader, writer = await site.connect()
    bearer = f"Authorization: Bearer {site.token}"
    lines = [f"{method} {site.at(path)} HTTP/1.1", "Host: x", bearer, *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    return reader, writer
