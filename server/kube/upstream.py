"""Connections to the API servers of ready clusters, kept open and shared."""

import asyncio
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from ssl import SSLContext
from typing import Final
from uuid import UUID

import aiohttp

from server.drivers import kube_api, kube_http
from server.drivers.base import DriverError
from server.errors import NotReady, Simulated
from server.secrets import Sealer
from server.store import access
from server.store.access import WayIn
from server.store.database import Database

MOST: Final = 256
"""API servers whose connections are kept; those not asked for the longest time go first. One that
is still in use then is closed when its last user lets go of it."""


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
    """Finds the way into a cluster, as its administrator or as the proxy.

    What is kept is bound to the attempt that made the cluster: a cluster that was created anew
    has another address and other certificates.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._kept: OrderedDict[tuple[UUID, bool], Upstream] = OrderedDict()
        self._retired: set[aiohttp.ClientSession] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def of(self, cluster_id: UUID) -> Upstream:
        """Give a cluster's API server, as its administrator.

        Raises:
            NotReady: the cluster cannot be reached, yet or any more.
            Simulated: there is nothing behind it.
        """
        return await self._find(cluster_id, None, for_people=False)

    async def for_people(self, cluster_id: UUID, attempt_id: UUID) -> Upstream:
        """Give a cluster's API server, as the user who may speak for people and do nothing else.

        `attempt_id`: whose way in it is, as the database says now. Raises as `of`.
        """
        return await self._find(cluster_id, attempt_id, for_people=True)

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

    async def _find(
        self, cluster_id: UUID, attempt_id: UUID | None, *, for_people: bool
    ) -> Upstream:
        key = (cluster_id, for_people)
        found = self._kept.get(key)
        if found is not None and found.attempt_id == attempt_id:
            self._kept.move_to_end(key)
            return found
        async with self._database.for_people(cluster_id).reading() as session:
            way = await access.way_into(session, cluster_id)
        if way is None:
            raise NotReady("the way into the cluster is not known", fix="wait until it is ready")
        found = self._kept.get(key)  # another one may have come first
        if found is None or found.attempt_id != way.attempt_id:
            made = self._connect(cluster_id, way, for_people=for_people)
            if found is not None:
                self._retire(found)
            self._kept[key] = found = made
        self._kept.move_to_end(key)
        while len(self._kept) > MOST:
            _, oldest = self._kept.popitem(last=False)
            self._retire(oldest)
            del oldest
        return found

    def _connect(self, cluster_id: UUID, way: WayIn, *, for_people: bool) -> Upstream:
        if way.sealed_proxy_identity is None:
            raise Simulated(
                "nothing answers in this cluster: it is simulated",
                fix="use a server with Docker and kind for a real one",
            )
        try:
            admin = kube_api.read_kubeconfig(self._sealer.open(way.sealed_kubeconfig).decode())
        except DriverError as error:
            raise NotReady(error.explanation.cause, fix=error.explanation.fix) from error
        identity = (
            self._sealer.open(way.sealed_proxy_identity)
            if for_people
            else admin.certificate + b"\n" + admin.key
        )
        ssl = kube_api.context(admin.authority, identity)
        session = kube_http.open_session(ssl)
        return Upstream(cluster_id, way.attempt_id, way.internal_url, ssl, session)


def host_and_port(url: str) -> tuple[str, int]:
    """Split the address of an API server.

    Raises:
        ValueError: it is none.
    """
    host, _, port = url.removeprefix("https://").rpartition(":")
    return host.strip("[]"), int(port)
