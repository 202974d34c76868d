"""Who may reach which cluster: the gate of the Kubernetes API proxy."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum, auto
from functools import partial
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

import anyio
from anyio.abc import ByteStream

from pyk8s.wire.cluster import USABLE, Phase
from server.errors import LabError
from server.kube.upstream import Upstream, Upstreams, host_and_port
from server.kube.use import Use
from server.kube.waking import Waker
from server.proxy import headers as rules
from server.proxy import impersonation, token_reviews
from server.proxy.bearer import Bearer, bearer_of, subject_of, without_bearer
from server.proxy.grants import Grants
from server.proxy.openings import Open
from server.proxy.passage import Asked, Passage
from server.proxy.paths import destination
from server.proxy.refusals import Headers, Refusal, unavailable
from server.proxy.upgrades import SPDY, WEBSOCKET
from server.store.credentials import Grant
from server.telemetry import get_logger

LONG_RUNNING: Final = frozenset({b"attach", b"exec", b"log", b"portforward"})
PROXY_OR_WATCH: Final = frozenset({b"proxy", b"watch"})
"""kube-apiserver takes requests for these, and those that watch, for long-running."""

TOLD_SECONDS: Final = 60.0
MOST_TOLD: Final = 1_000

log = get_logger(__name__)


class Way(Enum):
    """Under which identity a request reaches the cluster, and so what it may become there."""

    PROXY = auto()
    """The proxy's, which may speak for people and for nobody else."""
    PERSON = auto()
    """The person's own: the API server decides whom the person may impersonate."""
    TOKEN = auto()
    """None: the API server reads the token that the request brings."""


class ClusterGate:
    """Lets a credential into its cluster, under the name of its user."""

    upgrades = frozenset({WEBSOCKET, SPDY})

    def __init__(
        self,
        grants: Grants,
        upstreams: Upstreams,
        waker: Waker,
        use: Use,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._grants = grants
        self._upstreams = upstreams
        self._waker = waker
        self._use = use
        self._monotonic = monotonic
        self._told: OrderedDict[tuple[object, ...], float] = OrderedDict()
        """What the log has told lately, and until when it does not again."""

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
        bearer = bearer_of(asked.headers)
        grant = await self._grants.find(bearer.secret, asked.peer)
        others = impersonation.wanted(asked.headers)
        wanted = destination(asked.path)
        if wanted.cluster_id not in {grant.cluster_id, None}:
            raise Refusal(403, "Forbidden", "this credential is for another cluster")
        upstream = await self._upstream_of(grant, _way(bearer, others))
        is_watch = _is_watch(asked.query)
        fields = {
            "user": grant.username,
            "cluster_id": str(grant.cluster_id),
            "path": wanted.path.decode("ascii"),
            **({"token_subject": subject_of(bearer.token) or "unknown"} if bearer.token else {}),
            **({"impersonated": impersonation.in_words(others)} if others else {}),
        }
        self._note(fields, grant.credential_id)
        host, port = host_and_port(upstream.url)
        return Passage(
            base=upstream.url,
            target=wanted.path + (b"?" + asked.query if asked.query else b""),
            headers=[
                *rules.towards_cluster(
                    without_bearer(asked.headers),
                    _who(grant, bearer, others),
                    upgrade=asked.upgrade,
                ),
                *_origin(asked, wanted.path, upstream.url, is_watch=is_watch),
            ],
            give_back=partial(rules.towards_client, prefix=wanted.prefix),
            session=upstream.session,
            dial=partial(dial, upstream),
            host=f"{host}:{port}".encode(),
            opened=partial(self._opened, grant, is_background=is_watch),
            unanswered=_unanswered,
            log=fields,
            inspect=token_reviews.inspecting(
                asked.method, wanted.segments, bearer, username=grant.username
            ),
            is_long_running=is_watch or _is_long_running(wanted.path),
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

    def _note(self, log_fields: dict[str, str], credential_id: UUID) -> None:
        """Keep who is meant by whom in the log: once in a while for each, not for each request."""
        told = (credential_id, log_fields.get("token_subject"), log_fields.get("impersonated"))
        if told[1:] == (None, None):
            return
        now = self._monotonic()
        if self._told.get(told, 0.0) <= now:
            self._told[told] = now + TOLD_SECONDS
            log.info("identity_used", **{k: v for k, v in log_fields.items() if k != "path"})
        self._told.move_to_end(told)
        if len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)

    async def _upstream_of(self, grant: Grant, way: Way) -> Upstream:
        if grant.attempt_id is None or grant.phase not in USABLE:
            raise unavailable(f"the cluster {grant.cluster_name} is {grant.phase}, not ready")
        where = (grant.cluster_id, grant.attempt_id)
        try:
            if grant.phase is Phase.PAUSED:
                await self._waker.awake(grant.cluster_id)
            match way:
                case Way.TOKEN:
                    return await self._upstreams.for_tokens(*where)
                case Way.PERSON:
                    return await self._upstreams.as_person(*where, grant.username)
                case Way.PROXY:
                    return await self._upstreams.for_people(*where)
        except LabError as error:
            raise unavailable(error.detail) from error


def _way(bearer: Bearer, others: Headers) -> Way:
    if bearer.token is not None:
        return Way.TOKEN
    return Way.PERSON if others else Way.PROXY


def _who(grant: Grant, bearer: Bearer, others: Headers) -> Headers:
    """Return the headers by which the cluster is told who asks."""
    if bearer.token is not None:
        return [(b"authorization", b"Bearer " + bearer.token.encode()), *others]
    return others or impersonation.person(grant.username)


def _is_watch(query: bytes) -> bool:
    wanted = dict(parse_qsl(query))
    return wanted.get(b"watch", b"") in {b"1", b"true"}


def _is_long_running(path: bytes) -> bool:
    """Return whether an API server sets no time for what a path names, as it decides itself.

    `kubectl logs -f` of a silent container has no answer, not even a head, until a line comes.
    """
    parts = path.split(b"/")
    return parts[-1] in LONG_RUNNING or not PROXY_OR_WATCH.isdisjoint(parts)


def _origin(asked: Asked, path: bytes, url: str, *, is_watch: bool) -> Headers:
    """Return the `Origin` without which an API server refuses a watch over a WebSocket (403).

    It looks at nothing in it but that it is a URL. The client's own says nothing here: what lets in
    is a bearer token, which no browser adds to a request of another site. An app behind
    `.../proxy/` gets none, since apps compare it with their own host.
    """
    if asked.upgrade is WEBSOCKET and (is_watch or b"watch" in path.split(b"/")):
        return [(b"origin", url.encode())]
    return []


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
