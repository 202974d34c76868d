"""A TCP connection to a port inside a cluster, over its API server.

The WebSocket form of port-forward, `v4.channel.k8s.io`: each message begins with the number of
its channel, 0 for data and 1 for errors, and the first one of each says the port again.
"""

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp
import anyio
from anyio.abc import ByteStream

from pyk8s.wire.apps import AppKind
from server.drivers import kube_http
from server.drivers.kube_http import NoAnswer
from server.drivers.kube_identity import PEOPLE
from server.drivers.kube_objects import Object, number, part, parts, text
from server.kube.upstream import Upstream

POD_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
"""Names of pods are DNS subdomains; what else a cluster gives would lead to another path."""
PROTOCOL: Final = "v4.channel.k8s.io"
DATA: Final = 0
ASK_SECONDS: Final = 10.0
PIECE_BYTES: Final = 32 * 1024
MOST_MESSAGE_BYTES: Final = 1024 * 1024
"""One message of a cluster's; a kubelet sends at most 32 KiB in one."""

_PORT_BYTES: Final = 2


class NoPort(OSError):
    """There is nothing to connect to; says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A port of a service or of a pod."""

    kind: AppKind
    namespace: str
    target: str
    port: int


class PortStream(ByteStream):
    """The connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, upstream: Upstream) -> None:
        self._socket = socket
        self._upstream = upstream  # whose connections are kept open for who holds it
        self._is_named = {0: False, 1: False}
        self._rest = b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Give what comes.

        Raises:
            EndOfStream: the pod has closed.
            BrokenResourceError: the connection broke, or nothing listens on the port; says what
                the cluster said.
        """
        while not self._rest:
            message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.ERROR:
                raise anyio.BrokenResourceError(kube_http.in_words(message.data))
            if message.type is not aiohttp.WSMsgType.BINARY:
                raise anyio.EndOfStream
            if not message.data:
                continue
            channel, content = message.data[0], message.data[1:]
            if not self._is_named.get(channel, True):
                self._is_named[channel] = True
                content = content[_PORT_BYTES:]
            if channel != DATA and content:
                said = content[: 4 * kube_http.SAID_CHARS].decode(errors="replace")
                raise anyio.BrokenResourceError(kube_http.printable(said))
            self._rest = content
        given, self._rest = self._rest[:max_bytes], self._rest[max_bytes:]
        return given

    async def send(self, item: bytes) -> None:
        """Send bytes.

        Raises:
            BrokenResourceError: the connection is gone.
        """
        try:
            for begin in range(0, len(item), PIECE_BYTES):
                await self._socket.send_bytes(b"\x00" + item[begin : begin + PIECE_BYTES])
        except (OSError, aiohttp.ClientError) as error:
            raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        """Half a close cannot be said; what ends the connection is `aclose`."""

    async def aclose(self) -> None:
        """Close."""
        await self._socket.close()


async def open_port(upstream: Upstream, username: str, place: Place) -> PortStream:
    """Connect to a port, as a person.

    Raises:
        NoPort: the service or pod is not there, has no ready pod, or the cluster does not answer.
    """
    who = {"Impersonate-User": username, "Impersonate-Group": PEOPLE}
    try:
        async with asyncio.timeout(ASK_SECONDS):
            pod, port = await _pod_of(upstream, who, place)
            url = f"{upstream.url}/api/v1/namespaces/{place.namespace}/pods/{pod}/portforward"
            socket = await upstream.session.ws_connect(
                url,
                params={"ports": str(port)},
                protocols=[PROTOCOL],
                headers=who,
                max_msg_size=MOST_MESSAGE_BYTES,
            )
    except (aiohttp.ClientError, TimeoutError, NoAnswer) as error:
        why = str(error) if isinstance(error, NoAnswer) else kube_http.in_words(error)
        raise NoPort(f"{place.kind} {place.target} cannot be reached: {why}") from error
    return PortStream(socket, upstream)


async def _pod_of(upstream: Upstream, who: dict[str, str], place: Place) -> tuple[str, int]:
    """Give the pod behind a place, and the port that it listens on."""
    if place.kind is AppKind.POD:
        return place.target, place.port
    within = f"/namespaces/{place.namespace}"
    service = await _get(upstream, who, f"/api/v1{within}/services/{place.target}")
    ports = parts(part(service, "spec"), "ports")
    found = next((each for each in ports if number(each, "port") == place.port), None)
    if found is None:
        raise NoPort(f"service {place.target} has no port {place.port}")
    slices = await _get(
        upstream,
        who,
        f"/apis/discovery.k8s.io/v1{within}/endpointslices"
        f"?labelSelector=kubernetes.io/service-name%3D{place.target}",
    )
    for item in parts(slices, "items"):
        named = {text(each, "name"): number(each, "port") for each in parts(item, "ports")}
        port = named.get(text(found, "name"))
        for endpoint in parts(item, "endpoints"):
            pod = _ready_pod(endpoint)
            if port and pod:
                return pod, port
    raise NoPort(f"service {place.target} has no ready pod")


def _ready_pod(endpoint: Object) -> str:
    """Return the name of the pod behind an endpoint; an empty text: there is none, or not yet."""
    target = part(endpoint, "targetRef")
    is_ready = part(endpoint, "conditions").get("ready") is not False
    name = text(target, "name") if is_ready and text(target, "kind") == "Pod" else ""
    return name if POD_NAME.fullmatch(name) else ""


async def _get(upstream: Upstream, who: dict[str, str], path: str) -> Object:
    answer = await kube_http.ask(
        upstream.session, "GET", upstream.url + path, headers=who, seconds=ASK_SECONDS
    )
    if answer.status != HTTPStatus.OK:
        raise NoPort(f"the cluster answered {answer.status} for {path.partition('?')[0]}")
    return answer.document()
