"""Who may reach which cluster: the gate of the Kubernetes API proxy."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

import anyio
from anyio.abc import ByteStream

from pyk8s.wire.cluster import USABLE, Phase
from server.errors import LabError
from server.kube.upstream import Upstream, Upstreams, host_and_port
from server.kube.use import Use
from server.kube.waking import Waker
from server.proxy import headers as rules
from server.proxy.grants import Grants
from server.proxy.openings import Open
from server.proxy.passage import Asked, Passage
from server.proxy.paths import destination
from server.proxy.refusals import Headers, Refusal, unavailable
from server.proxy.upgrades import SPDY, WEBSOCKET
from server.store.credentials import Grant

LONG_RUNNING: Final = frozenset({b"attach", b"exec", b"log", b"portforward"})
PROXY_OR_WATCH: Final = frozenset({b"proxy", b"watch"})
"""kube-apiserver takes requests for these, and those that watch, for long-running."""


class ClusterGate:
    """Lets a credential into its cluster, under the name of its user."""

    upgrades = frozenset({WEBSOCKET, SPDY})

    def __init__(self, grants: Grants, upstreams: Upstreams, waker: Waker, use: Use) -> None:
        self._grants = grants
        self._upstreams = upstreams
        self._waker = waker
        self._use = use

    async def admit(self, asked: Asked) -> Passage:
        """Find who asks, for what, and where that is.

        Raises:
            Refusal: the request is not passed on.
        """
        rules.check_duplicates(asked.headers)
        if not asked.is_upgrade and any(name == b"upgrade" for name, _ in asked.headers):
            raise Refusal(
                400, "BadRequest", "connections are upgraded to WebSocket and SPDY/3.1 only"
            )
        grant = await self._grants.find(rules.secret_of(asked.headers), asked.peer)
        rules.check_identity(asked.headers)
        wanted = destination(asked.path)
        if wanted.cluster_id != grant.cluster_id:
            raise Refusal(403, "Forbidden", "this credential is for another cluster")
        upstream = await self._upstream_of(grant)
        host, port = host_and_port(upstream.url)
        return Passage(
            base=upstream.url,
            target=wanted.path + (b"?" + asked.query if asked.query else b""),
            headers=[
                *rules.towards_cluster(asked.headers, grant.username, upgrade=asked.upgrade),
                *_origin(asked, wanted.path, upstream.url),
            ],
            give_back=partial(rules.towards_client, prefix=wanted.prefix),
            session=upstream.session,
            dial=partial(dial, upstream),
            host=f"{host}:{port}".encode(),
            opened=partial(self._opened, grant, is_background=_is_watch(asked.query)),
            unanswered=_unanswered,
            log={
                "user": grant.username,
                "cluster_id": str(grant.cluster_id),
                "path": wanted.path.decode("ascii"),
            },
            is_long_running=_is_long_running(wanted.path, asked.query),
        )

    @contextmanager
    def _opened(self, grant: Grant, *, is_background: bool) -> Iterator[Open]:
        """Watch over what is open. Programs that only wait for changes do not use a cluster."""
        used = nullcontext() if is_background else self._use.holding(grant.cluster_id)
        with self._grants.opened(grant) as request, used:
            yield request

    def stop(self) -> None:
        """End all that is open."""
        self._grants.stop()

    async def _upstream_of(self, grant: Grant) -> Upstream:
        if grant.attempt_id is None or grant.phase not in USABLE:
            raise unavailable(f"the cluster {grant.cluster_name} is {grant.phase}, not ready")
        try:
            if grant.phase is Phase.PAUSED:
                await self._waker.awake(grant.cluster_id)
            return await self._upstreams.for_people(grant.cluster_id, grant.attempt_id)
        except LabError as error:
            raise unavailable(error.detail) from error


def _is_watch(query: bytes) -> bool:
    wanted = dict(parse_qsl(query))
    return wanted.get(b"watch", b"") in {b"1", b"true"}


def _is_long_running(path: bytes, query: bytes) -> bool:
    """Return whether an API server sets no time for a request, as it decides itself.

    `kubectl logs -f` of a silent container has no answer, not even a head, until a line comes.
    """
    parts = path.split(b"/")
    return parts[-1] in LONG_RUNNING or not PROXY_OR_WATCH.isdisjoint(parts) or _is_watch(query)


def _origin(asked: Asked, path: bytes, url: str) -> Headers:
    """Return the `Origin` without which an API server refuses a watch over a WebSocket (403).

    It looks at nothing in it but that it is a URL. The client's own says nothing here: what lets in
    is a bearer token, which no browser adds to a request of another site. An app behind
    `.../proxy/` gets none, since apps compare it with their own host.
    """
    if asked.upgrade is not WEBSOCKET:
        return []
    is_watch = _is_watch(asked.query) or b"watch" in path.split(b"/")
    return [(b"origin", url.encode())] if is_watch else []


def _unanswered(why: str) -> Refusal:
    return unavailable(f"the cluster's API server {why}")


async def dial(upstream: Upstream) -> ByteStream:
    """Open a connection of its own to an API server.

    TLS is anyio's here, not asyncio's: the latter loses what it has not handed out yet when the
    peer closes while reading is paused, which cuts the end off a file that kubectl copies.

    Raises:
        OSError: it cannot be reached.
    """
    host, port = host_and_port(upstream.url)
    return await anyio.connect_tcp(
        host, port, tls=True, ssl_context=upstream.ssl, tls_standard_compatible=False
    )
