"""A published app behind a scripted API server that forwards ports, and a server before it.

api     the scripted API server; it forwards the port of pod `web-0` to the app
site    a server with a listener for apps, a cluster of ann, and the app `web` published
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from aiohttp import WSMsgType, web

from pyk8s.wire.apps import AppKind
from server.apps import links
from server.apps.links import Link
from server.config import Settings
from server.kube.ports import PROTOCOL
from server.proxy import authority
from tests.integration.conftest import Caller, LabServer, serving, sign_up
from tests.integration.proxy.conftest import ScriptedApi, lead_to, read_answer
from tests.ports import free_port

STREAM_SECONDS = 0.02
PIECE = bytes(range(256)) * 256
REFUSED = b"error forwarding port 81: connection refused"


@dataclass
class StandIn:
    """The app. It keeps what it got, and answers by the path."""

    port: int = 0
    headers: list[list[tuple[str, str]]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    streams: int = 0
    """Open now."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(
            [(name.decode().lower(), value.decode()) for name, value in request.raw_headers]
        )
        self.targets.append(request.raw_path)
        match request.path:
            case "/ws":
                return await _echo(request)
            case "/stream":
                return await self._stream(request)
            case "/count":
                size = 0
                async for piece in request.content.iter_any():
                    size += len(piece)
                return web.json_response({"bytes": size})
            case "/large":
                answer = web.StreamResponse()
                await answer.prepare(request)
                for _ in range(int(request.query["pieces"])):
                    await answer.write(PIECE)
                return answer
            case "/cookies":
                answer = web.Response(text="set")
                for cookie in ("a=1; Domain=localhost", "pyk8s_session=x", "pyk8s_app=x"):
                    answer.headers.add("Set-Cookie", cookie)
                answer.headers["Clear-Site-Data"] = '"cookies"'
                return answer
            case _:
                return web.Response(text=f"seen {request.path}")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        self.streams += 1
        try:
            while True:
                await answer.write(b"line\n")
                await asyncio.sleep(STREAM_SECONDS)
        finally:
            self.streams -= 1


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=["chat"])
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
        else:
            await socket.send_str(f"heard {message.data}")
    return socket


async def _service(request: web.Request) -> web.Response:
    known = request.match_info["name"] in {"web", "empty", "deaf"}
    spec = {"ports": [{"name": "http", "port": 80}]}
    return web.json_response({"spec": spec}, status=200 if known else 404)


async def _slices(request: web.Request) -> web.Response:
    name = request.query["labelSelector"].partition("=")[2]
    port = {"web": 8080, "deaf": 81}.get(name)
    endpoint = {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "web-0"}}
    waiting = {**endpoint, "conditions": {"ready": False}}
    ports = [{"name": "http", "port": port or 8080}]
    item = {"ports": ports, "endpoints": [waiting] if port is None else [waiting, endpoint]}
    return web.json_response({"items": [item]})


def forwarding(app: StandIn, asked: list[tuple[str, str]]) -> Callable[..., Awaitable[Any]]:
    """Give a handler that forwards port 8080 of a pod to the app; at others nothing listens."""

    async def forward(request: web.Request) -> web.WebSocketResponse:
        asked.append((request.headers["Impersonate-User"], request.match_info["pod"]))
        socket = web.WebSocketResponse(protocols=[PROTOCOL])
        await socket.prepare(request)
        port = int(request.query["ports"]).to_bytes(2, "little")
        await socket.send_bytes(b"\x00" + port)
        await socket.send_bytes(b"\x01" + port)
        if request.query["ports"] != "8080":
            await socket.send_bytes(b"\x01" + REFUSED)
            return socket
        reader, writer = await asyncio.open_connection("127.0.0.1", app.port)

        async def back() -> None:
            while piece := await reader.read(32 * 1024):
                await socket.send_bytes(b"\x00" + piece)
            await socket.close()

        going = asyncio.create_task(back())
        try:
            async for message in socket:
                assert message.data[0] == 0
                writer.write(message.data[1:])
                await writer.drain()
        finally:
            going.cancel()
            writer.close()
        return socket

    return forward


@asynccontextmanager
async def listening(handlers: web.Application, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Serve on a port that the system chooses."""
    runner = web.AppRunner(handlers, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await place.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@dataclass
class AppSite:
    """A server with a published app."""

    server: LabServer
    app: StandIn
    ann: Caller
    cluster: str
    published: dict[str, Any]
    forwarded: list[tuple[str, str]]
    """User and pod of each connection."""

    @property
    def apps(self) -> str:
        return f"/api/v1/clusters/{self.cluster}/apps"

    @property
    def port(self) -> int:
        port = self.server.state["settings"].listens_for_apps_on
        assert port is not None
        return port

    @property
    def host(self) -> str:
        return str(self.published["url"]).removeprefix("http://")

    def http(self, host: str | None = None, **headers: str) -> httpx.AsyncClient:
        """Give a browser without a memory."""
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Host": host or self.host, **headers},
            trust_env=False,
            timeout=30,
        )

    async def publish(self, target: str, **more: Any) -> dict[str, Any]:
        answer = await self.ann.http.post(self.apps, json={"target": target, "port": 80, **more})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def link(self, app: dict[str, Any] | None = None) -> str:
        """Give a link's secret part."""
        app_id = (app or self.published)["id"]
        answer = await self.ann.http.post(f"{self.apps}/{app_id}/links", json={})
        assert answer.status_code == 201, answer.text
        url = httpx.URL(answer.json()["url"])
        return str(url.params["pyk8s-link"])

    def signed(self, *, ends_in: float, generation: int = 0) -> str:
        """Sign a link as the server does."""
        ends = datetime.now(UTC) + timedelta(seconds=ends_in)
        key = self.server.state["sealer"].derive(links.PURPOSE)
        return links.sign(key, Link(UUID(self.published["id"]), generation, ends))

    async def raw(
        self, target: str, *headers: str, method: str = "GET"
    ) -> tuple[int, dict[str, str], bytes]:
        """Send exactly these bytes, and give status, headers and body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *headers, "", ""])
        writer.write(head.encode("latin-1"))
        try:
            async with asyncio.timeout(30):
                return await read_answer(reader)
        finally:
            writer.close()


def cookie(secret: str) -> dict[str, str]:
    return {"Cookie": f"pyk8s_app={secret}"}


def cookies_of(answer: httpx.Response) -> SimpleCookie:
    return SimpleCookie(answer.headers["set-cookie"])


@pytest.fixture
async def site(settings: Settings, tmp_path: Path) -> AsyncIterator[AppSite]:
    app, forwarded = StandIn(), list[tuple[str, str]]()
    strange = web.Application(client_max_size=1 << 30)
    strange.router.add_route("*", "/{rest:.*}", app.answer)
    identity = authority.own(tmp_path / "api", ["127.0.0.1"], now=datetime.now(UTC))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=identity.authority)
    tls.load_cert_chain(identity.certificate, identity.key)
    api = web.Application()
    within = "/namespaces/default"
    api.router.add_get(f"/api/v1{within}/services/{{name}}", _service)
    api.router.add_get(f"/apis/discovery.k8s.io/v1{within}/endpointslices", _slices)
    forward = forwarding(app, forwarded)
    api.router.add_get(f"/api/v1{within}/pods/{{pod}}/portforward", forward)
    with_apps = settings.model_copy(update={"apps_port": free_port()})
    async with (
        listening(strange, None) as app.port,
        listening(api, tls) as api_port,
        serving(with_apps) as server,
    ):
        ann = await sign_up(server, "ann")
        async with ann.http:
            cluster = (await ann.create(name="mine"))["id"]
            await ann.until(cluster, "ready")
            await lead_to(server, cluster, ScriptedApi(identity, api_port))
            site = AppSite(server, app, ann, cluster, {}, forwarded)
            site.published = await site.publish("web")
            assert site.published["kind"] == AppKind.SERVICE
            yield site
