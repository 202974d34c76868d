"""Connections to the API servers of ready clusters, kept open and shared."""

import asyncio
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from ssl import SSLContext, SSLError
from typing import Final
from uuid import UUID

import aiohttp

from server.drivers import kube_api, kube_http
from server.drivers.base import DriverError
from server.drivers.kube_api import Credentials
from server.drivers.shared import Shared
from server.errors import NotReady, Simulated, Unavailable
from server.kube import certificates
from server.secrets import Sealer
from server.store import access
from server.store.access import WayIn
from server.store.database import Database

MOST: Final = 256
"""API servers whose connections are kept; those not asked for the longest time go first. One that
is still in use then is closed when its last user lets go of it."""

RENEW_SECONDS: Final = 0.75 * certificates.SERVER_SECONDS
"""A person's certificate is used for so long; what was asked shortly before that has time left."""
SIGN_AT_ONCE: Final = 64
"""Certificates that clusters sign at the same time. One that a cluster does not sign takes a place
for `certificates.ISSUE_SECONDS`, so a few clusters must not take them all."""


class _As(Enum):
    """The identities under which an API server is asked, besides that of a person."""

    ADMINISTRATOR = auto()
    PROXY = auto()
    NOBODY = auto()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Upstream:
    """One API server, spoken to under one identity. Whoever uses its session holds this too."""

    cluster_id: UUID
    attempt_id: UUID
    url: str
    """`https://HOST:PORT`, from the database."""
    ssl: SSLContext
    session: aiohttp.ClientSession
    """As `kube_http.open_session` makes it."""


class Upstreams:
    """Finds the way into a cluster, as its administrator, the proxy, a person or nobody.

    What is kept is bound to the attempt that made the cluster: a cluster that was created anew
    has another address and other certificates.
    """

    def __init__(
        self, database: Database, sealer: Sealer, *, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: the time of day in seconds. Certificates end while a machine sleeps."""
        self._database = database
        self._sealer = sealer
        self._kept: OrderedDict[tuple[UUID, _As], Upstream] = OrderedDict()
        self._of_persons = Shared[tuple[UUID, UUID, str], Upstream](
            seconds=RENEW_SECONDS, at_once=SIGN_AT_ONCE, clock=clock
        )
        self._retired: set[aiohttp.ClientSession] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def of(self, cluster_id: UUID) -> Upstream:
        """Give a cluster's API server, as its administrator.

        Raises:
            NotReady: the cluster cannot be reached, yet or any more.
            Simulated: there is nothing behind it.
        """
        return await self._find(cluster_id, None, _As.ADMINISTRATOR)

    async def for_people(self, cluster_id: UUID, attempt_id: UUID) -> Upstream:
        """Give a cluster's API server, as the user who may speak for people and do nothing else.

        `attempt_id`: whose way in it is, as the database says now. Raises as `of`.
        """
        return await self._find(cluster_id, attempt_id, _As.PROXY)

    async def for_tokens(self, cluster_id: UUID, attempt_id: UUID) -> Upstream:
        """Give a cluster's API server, as nobody: a request has to bring its own bearer token.

        A client certificate would count before the token. Raises as `of`.
        """
        return await self._find(cluster_id, attempt_id, _As.NOBODY)

    async def as_person(self, cluster_id: UUID, attempt_id: UUID, username: str) -> Upstream:
        """Give a cluster's API server, under a certificate of a person.

        Raises:
            Unavailable: the cluster signs none.
            NotReady: the cluster cannot be reached, yet or any more.
            Simulated: there is nothing behind it.
        """
        key = (cluster_id, attempt_id, username)
        return await self._of_persons.get(key, partial(self._open_for, *key))

    async def _open_for(self, cluster_id: UUID, attempt_id: UUID, username: str) -> Upstream:
        way = await self._way_into(cluster_id)
        if way.attempt_id != attempt_id:
            raise NotReady("the cluster was created anew", fix="try again")
        identity = await certificates.issue_for_server(way, self._sealer, username=username)
        try:
            authority = self._administrator(way).authority
            upstream = self._open(cluster_id, way, authority, identity)
        except (SSLError, ValueError) as error:  # whoever owns the cluster can let it sign anything
            raise Unavailable(
                "the certificate that the cluster signed cannot be used",
                fix="see whether something else answers for its API server",
                retry_after=5,
            ) from error
        self._retire(upstream)  # when it was renewed, and its last user has let go of it
        return upstream

    async def aclose(self) -> None:
        """Let go of all connections."""
        for each in [*self._kept.values()]:
            await each.session.close()
        self._kept.clear()
        for session in [*self._retired]:
            await session.close()
        await asyncio.gather(*self._closing)

    def _retire(self, upstream: Upstream) -> None:
        """Close the connections when nobody uses them any more, which may be at once."""
        self._retired.add(upstream.session)
        weakref.finalize(upstream, self._close_soon, upstream.session).atexit = False

    def _close_soon(self, session: aiohttp.ClientSession) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the last one let go after the loop's end; `aclose` has closed it
            return
        self._retired.discard(session)
        task = loop.create_task(session.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _find(self, cluster_id: UUID, attempt_id: UUID | None, who: _As) -> Upstream:
        key = (cluster_id, who)
        found = self._kept.get(key)
        if found is not None and found.attempt_id == attempt_id:
            self._kept.move_to_end(key)
            return found
        way = await self._way_into(cluster_id)
        found = self._kept.get(key)  # another one may have come first
        if found is None or found.attempt_id != way.attempt_id:
            made = self._connect(cluster_id, way, who)
            if found is not None:
                self._retire(found)
            self._kept[key] = found = made
        self._kept.move_to_end(key)
        while len(self._kept) > MOST:
            _, oldest = self._kept.popitem(last=False)
            self._retire(oldest)
            del oldest
        return found

    async def _way_into(self, cluster_id: UUID) -> WayIn:
        async with self._database.for_people(cluster_id).reading() as session:
            way = await access.way_into(session, cluster_id)
        if way is None:
            raise NotReady("the way into the cluster is not known", fix="wait until it is ready")
        if way.sealed_proxy_identity is None:
            raise Simulated(
                "nothing answers in this cluster: it is simulated",
                fix="use a server with Docker and kind for a real one",
            )
        return way

    def _connect(self, cluster_id: UUID, way: WayIn, who: _As) -> Upstream:
        admin = self._administrator(way)
        identity = None
        if who is _As.PROXY and way.sealed_proxy_identity is not None:
            identity = self._sealer.open(way.sealed_proxy_identity)
        elif who is _As.ADMINISTRATOR:
            identity = admin.certificate + b"\n" + admin.key
        return self._open(cluster_id, way, admin.authority, identity)

    def _open(
        self, cluster_id: UUID, way: WayIn, authority: bytes, identity: bytes | None
    ) -> Upstream:
        ssl = kube_api.context(authority, identity, resumes=True)
        session = kube_http.open_session(ssl)
        return Upstream(cluster_id, way.attempt_id, way.internal_url, ssl, session)

    def _administrator(self, way: WayIn) -> Credentials:
        try:
            return kube_api.read_kubeconfig(self._sealer.open(way.sealed_kubeconfig).decode())
        except DriverError as error:
            raise NotReady(error.explanation.cause, fix=error.explanation.fix) from error


def host_and_port(url: str) -> tuple[str, int]:
    """Split the address of an API server.

    Raises:
        ValueError: it is none.
    """
    host, _, port = url.removeprefix("https://").rpartition(":")
    return host.strip("[]"), int(port)
