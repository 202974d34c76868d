"""The ASGI application of the proxy: a request goes to its cluster, and the answer comes back.

Both bodies pass in pieces as they come: nothing is collected, so a watch is seen at once and a
large list costs no memory.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from pyk8s.wire.cluster import Phase
from server.errors import LabError
from server.kube.upstream import Upstream, Upstreams
from server.proxy import headers as rules
from server.proxy.grants import Grants
from server.proxy.paths import Destination, destination
from server.proxy.refusals import Headers, Refusal, unavailable
from server.store.credentials import Grant
from server.transport.connection import hang_up

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})


class ClientGone(OSError):
    """The client went before it had sent everything."""


class Body:
    """The body of a request, and after it the client's going away."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        self._has_passed = asyncio.Event()
        found = {name: value for name, value in headers if name in BODY_HEADERS}
        self.length = found.get(b"content-length")
        self.is_there = b"transfer-encoding" in found or self.length not in {None, b"0"}
        self.is_client_gone = False
        if not self.is_there:
            self._has_passed.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body as it comes.

        Raises:
            ClientGone: it ends before its end.
        """
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_client_gone = True
                raise ClientGone
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                self._has_passed.set()
                return

    async def until_client_is_gone(self) -> None:
        """Wait until the client hangs up, or has its whole answer."""
        await self._has_passed.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_client_gone = True


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What the cluster is asked."""

    method: str
    url: URL
    headers: CIMultiDict[str]


class Admission:
    """Decides what a request may reach; the same for plain requests and for tunnels."""

    def __init__(self, grants: Grants, upstreams: Upstreams) -> None:
        self.grants = grants
        self._upstreams = upstreams

    async def admit(self, raw_path: bytes, headers: Headers) -> tuple[Grant, Destination, Upstream]:
        """Find who asks, for what, and where that is.

        Raises:
            Refusal: the request is not passed on.
        """
        rules.check_duplicates(headers)
        grant = await self.grants.find(rules.secret_of(headers))
        wanted = destination(raw_path)
        if wanted.cluster_id != grant.cluster_id:
            raise Refusal(403, "Forbidden", "this credential is for another cluster")
        if grant.phase is Phase.PAUSED:
            raise unavailable(f"the cluster {grant.cluster_name} is paused: resume it first")
        if grant.attempt_id is None or grant.phase is not Phase.READY:
            raise unavailable(f"the cluster {grant.cluster_name} is {grant.phase}, not ready")
        try:
            upstream = await self._upstreams.for_people(grant.cluster_id, grant.attempt_id)
        except LabError as error:
            raise unavailable(error.detail) from error
        return grant, wanted, upstream


class Relay:
    """The application."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        has_begun = False

        async def noting(message: Any) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._answer(scope, receive, noting)
        except Refusal as refusal:
            if has_begun:
                await _cut(scope, receive)  # half an answer must not look like a whole one
            else:
                await _refuse(send, refusal)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = scope["headers"]
        if any(name == b"upgrade" for name, _ in headers):
            raise Refusal(
                400,
                "BadRequest",
                "only WebSockets are spoken here, not SPDY: use kubectl 1.31 or newer",
            )
        grant, wanted, upstream = await self._admission.admit(scope["raw_path"], headers)
        body = Body(receive, headers)
        with self._admission.grants.opened(grant) as request:
            going = asyncio.create_task(body.until_client_is_gone())
            going.add_done_callback(lambda _: request.scope.cancel())
            try:
                with request.scope:
                    outgoing = _outgoing(upstream, wanted, scope, grant)
                    await _relay(upstream, outgoing, body, wanted.prefix, send)
            finally:
                going.cancel()
            if request.has_ended:
                await _cut(scope, receive)


async def _cut(scope: Scope, receive: Receive) -> None:
    """End the connection, and return when it is gone: uvicorn else tells its log of a defect."""
    hang_up(scope)
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = refusal.body()
    headers = [*refusal.headers(body), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refusal.code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _outgoing(upstream: Upstream, wanted: Destination, scope: Scope, grant: Grant) -> Outgoing:
    """Write the request anew: its target and headers are ours, whatever it said."""
    query = scope["query_string"]
    target = wanted.path + (b"?" + query if query else b"")
    headers = rules.towards_cluster(scope["headers"], grant.username)
    return Outgoing(
        scope["method"],
        URL(upstream.url + target.decode("ascii"), encoded=True),
        CIMultiDict((name.decode(), value.decode("latin-1")) for name, value in headers),
    )


async def _relay(
    upstream: Upstream, outgoing: Outgoing, body: Body, prefix: bytes, send: Send
) -> None:
    if body.length is not None:
        outgoing.headers["Content-Length"] = body.length.decode()
    asking = upstream.session.request(
        outgoing.method,
        outgoing.url,
        headers=outgoing.headers,
        data=body.pieces() if body.is_there else None,
        allow_redirects=False,
    )
    try:
        async with asking as answer:
            await _give_back(answer, prefix, send)
    except (aiohttp.ClientError, OSError) as error:
        if not body.is_client_gone:
            raise unavailable("the cluster's API server does not answer") from error


async def _give_back(answer: aiohttp.ClientResponse, prefix: bytes, send: Send) -> None:
    headers = rules.towards_client(answer.raw_headers, prefix)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    while piece := await answer.content.readany():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
