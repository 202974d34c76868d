"""Stand-ins for Docker's API and for the API servers of clusters: just what the server asks.

Docker's state is files (`scripted_kind` makes containers there), so that both see the same.
Everything it gives is labelled as a stand-in; nothing else is answered.
"""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.drivers.base import kind_name
from server.drivers.kube_api import ACCOUNT

CLUSTER_LABEL = "io.x-k8s.kind.cluster"
NODE_IMAGE = "kindest/node:v1.37.0"


class Points:
    """Where answers wait: a call of a cluster stops at its point until everything goes on."""

    def __init__(self) -> None:
        self.wanted: set[tuple[str, str]] = set()
        self.reached: set[tuple[str, str]] = set()
        self._gates: dict[tuple[str, str], asyncio.Event] = {}

    async def stop(self, cluster: str, point: str) -> None:
        if (cluster, point) in self.wanted:
            self.reached.add((cluster, point))
            await self._gates.setdefault((cluster, point), asyncio.Event()).wait()

    def go(self, cluster: str | None = None) -> None:
        """End the waiting of one cluster, or of all."""
        ended = {each for each in self.wanted if cluster in {None, each[0]}}
        self.wanted -= ended
        for each in ended & self._gates.keys():
            self._gates.pop(each).set()


class DockerStandIn:
    """Networks and containers in files."""

    def __init__(self, stage: Path, points: Points) -> None:
        self._points = points
        self._names = stage / "names"
        self.networks = stage / "docker" / "networks"
        self.containers = stage / "docker" / "containers"
        for directory in (self._names, self.networks, self.containers):
            directory.mkdir(parents=True, exist_ok=True)
        self._speaks = asyncio.Event()
        self._speaks.set()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Take every question and answer none, as long as this lasts."""
        self._speaks.clear()
        try:
            yield
        finally:
            self._speaks.set()

    def app(self) -> web.Application:
        @web.middleware
        async def when_it_speaks(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            await self._speaks.wait()
            return await handler(request)

        app = web.Application(middlewares=[when_it_speaks])
        for prefix in ("", "/{version:v[0-9.]+}"):
            app.add_routes(
                [
                    web.get(f"{prefix}/version", self._version),
                    web.get(f"{prefix}/info", self._info),
                    web.get(f"{prefix}/images/json", self._images),
                    web.get(f"{prefix}/networks", self._list_networks),
                    web.post(f"{prefix}/networks/create", self._create_network),
                    web.get(f"{prefix}/networks/{{id}}", self._show_network),
                    web.delete(f"{prefix}/networks/{{id}}", self._delete_network),
                    web.post(f"{prefix}/containers/create", self._no_image),
                    web.post(f"{prefix}/images/create", self._no_image),
                    web.get(f"{prefix}/containers/json", self._list_containers),
                    web.get(f"{prefix}/containers/{{id}}/json", self._show_container),
                    web.delete(f"{prefix}/containers/{{id}}", self._delete_container),
                ]
            )
        return app

    def cluster_of(self, name: str) -> str:
        """Give the cluster that an attempt belongs to."""
        path = self._names / name
        return path.read_text() if path.exists() else "nobody"

    async def _no_image(self, _: web.Request) -> web.Response:
        """There is none but that of the nodes, and no registry: so there are no caches either."""
        return web.json_response({"message": "no such image"}, status=404)

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.43", "Version": "stand-in"})

    async def _info(self, _: web.Request) -> web.Response:
        facts = {"ServerVersion": "stand-in", "MemTotal": 64 * 1024**3, "NCPU": 64}
        return web.json_response(facts | {"CgroupVersion": "2"})

    async def _images(self, _: web.Request) -> web.Response:
        return web.json_response([{"Id": "stand-in", "RepoTags": [NODE_IMAGE]}])

    async def _list_networks(self, request: web.Request) -> web.Response:
        found = _labelled(self.networks, request)
        return web.json_response(found)

    async def _create_network(self, request: web.Request) -> web.Response:
        wish = await request.json()
        name, labels = wish["Name"], wish["Labels"]
        cluster = labels["pyk8s.cluster"]
        (self._names / attempt_of(wish)).write_text(cluster)
        await self._points.stop(cluster, "network-before")
        if request.transport is None:
            raise web.HTTPServiceUnavailable  # like Docker: who hung up gets nothing made
        made = {"Id": f"net-{name}", "Name": name, "Labels": labels | {"stand-in": "docker"}}
        _write(self.networks / f"{name}.json", made | {"IPAM": wish["IPAM"]})
        await self._points.stop(cluster, "network-after")
        return web.json_response({"Id": made["Id"]}, status=201)

    async def _show_network(self, request: web.Request) -> web.Response:
        return web.json_response(_read(self._network(request)) | {"Containers": {}})

    async def _delete_network(self, request: web.Request) -> web.Response:
        path = self._network(request)
        cluster = _read(path)["Labels"]["pyk8s.cluster"]
        await self._points.stop(cluster, "network-delete")
        path.unlink(missing_ok=True)
        await self._points.stop(cluster, "network-deleted")
        return web.Response(status=204)

    async def _list_containers(self, request: web.Request) -> web.Response:
        return web.json_response(_labelled(self.containers, request))

    async def _show_container(self, request: web.Request) -> web.Response:
        return web.json_response(_read(self._container(request)))

    async def _delete_container(self, request: web.Request) -> web.Response:
        path = self._container(request)
        cluster = self.cluster_of(_read(path)["Labels"][CLUSTER_LABEL])
        await self._points.stop(cluster, "container-delete")
        path.unlink(missing_ok=True)
        await self._points.stop(cluster, "container-deleted")
        return web.Response(status=204)

    def _network(self, request: web.Request) -> Path:
        return _existing(self.networks / f"{request.match_info['id'].removeprefix('net-')}.json")

    def _container(self, request: web.Request) -> Path:
        return _existing(self.containers / f"{request.match_info['id']}.json")


def attempt_of(network: dict[str, Any]) -> str:
    """Give the name that kind has for what a network belongs to."""
    return kind_name(UUID(network["Labels"]["pyk8s.attempt"]))


REQUESTS: Final = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


class KubernetesStandIn:
    """The API servers of all clusters, told apart by the beginning of the path."""

    def __init__(self, docker: DockerStandIn, points: Points) -> None:
        self._docker = docker
        self._points = points

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/{name}/readyz", self._readyz),
                web.get("/{name}/api/v1/nodes", self._nodes),
                web.get(f"/{{name}}{ACCOUNT}", self._found),
                web.delete("/{name}/api/v1/namespaces/kube-system/secrets/{token}", self._forget),
                web.post("/{name}/apis/rbac.authorization.k8s.io/v1/{kind}", self._made),
                web.post(f"/{{name}}{REQUESTS}", self._made),
                web.get(f"/{{name}}{REQUESTS}/{{request}}", self._signed),
                web.put(f"/{{name}}{REQUESTS}/{{request}}/approval", self._signed),
                web.delete(f"/{{name}}{REQUESTS}/{{request}}", self._made),
            ]
        )
        return app

    async def _made(self, _: web.Request) -> web.Response:
        return web.json_response({}, status=201)

    async def _found(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _signed(self, _: web.Request) -> web.Response:
        certificate = base64.b64encode(b"a certificate of the stand-in\n").decode()
        return web.json_response({"status": {"certificate": certificate}})

    async def _readyz(self, request: web.Request) -> web.Response:
        await self._stop(request, "readyz")
        if not self._containers(request):
            raise web.HTTPServiceUnavailable
        return web.Response(text="ok")

    async def _nodes(self, request: web.Request) -> web.Response:
        await self._stop(request, "nodes")
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        names = [each["Names"][0].lstrip("/") for each in self._containers(request)]
        items = [{"metadata": {"name": name}, "status": ready} for name in names]
        return web.json_response({"items": items})

    async def _forget(self, request: web.Request) -> web.Response:
        await self._stop(request, "token")
        return web.json_response({"status": "Success"})

    async def _stop(self, request: web.Request, point: str) -> None:
        await self._points.stop(self._docker.cluster_of(request.match_info["name"]), point)

    def _containers(self, request: web.Request) -> list[dict[str, Any]]:
        name = request.match_info["name"]
        found = [_read(path) for path in self._docker.containers.glob("*.json")]
        return [each for each in found if each["Labels"][CLUSTER_LABEL] == name]


class UnixSocket:
    """A socket at which an application answers, or nobody does."""

    def __init__(self, make: Callable[[], web.Application], path: Path) -> None:
        self._make = make
        self._path = path
        self._runner: web.AppRunner | None = None

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Answer, but for the times between `close` and `open`."""
        await self.open()
        try:
            yield
        finally:
            await self.close()

    async def open(self) -> None:
        self._runner = web.AppRunner(self._make(), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._path)).start()

    async def close(self) -> None:
        """Break every connection, and refuse new ones."""
        if self._runner is not None:
            await self._runner.cleanup()


@contextlib.asynccontextmanager
async def on_tls(app: web.Application, port: int, directory: Path) -> AsyncIterator[None]:
    """Serve on loopback with the certificate of `write_authority`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "server.pem")
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        yield
    finally:
        await runner.cleanup()


def write_authority(directory: Path) -> tuple[bytes, bytes]:
    """Make an authority and a certificate of 127.0.0.1; give the authority's and a client's key."""
    now = datetime.now(UTC)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])

    def certificate(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *, is_ca: bool
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        )
        if not is_ca:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    authority = certificate(ca_name, ca_key.public_key(), is_ca=True)
    leaf = certificate(name, key.public_key(), is_ca=False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both = leaf.public_bytes(pem) + private
    (directory / "server.pem").write_bytes(both)
    return authority.public_bytes(pem), both


def _labelled(directory: Path, request: web.Request) -> list[dict[str, Any]]:
    filters = json.loads(request.query.get("filters", "{}"))
    wanted = filters.get("label", [])
    wanted = [key for key, on in wanted.items() if on] if isinstance(wanted, dict) else wanted
    found = []
    for path in sorted(directory.glob("*.json")):
        with contextlib.suppress(FileNotFoundError):
            each = _read_raw(path)
            labels = each["Labels"]
            if all(_has(labels, label) for label in wanted):
                found.append(each)
    return found


def _has(labels: dict[str, str], wanted: str) -> bool:
    name, is_valued, value = wanted.partition("=")
    return name in labels and (not is_valued or labels[name] == value)


def _write(path: Path, value: dict[str, Any]) -> None:
    path.with_suffix(".new").write_text(json.dumps(value))
    path.with_suffix(".new").replace(path)


def _read_raw(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def _read(path: Path) -> dict[str, Any]:
    return _read_raw(_existing(path))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise web.HTTPNotFound(
            text=json.dumps({"message": f"no such thing: {path.stem}"}),
            content_type="application/json",
        )
    return path
