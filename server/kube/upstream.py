"""Connections to the API servers of ready clusters, kept open and shared."""

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
"""Clusters whose connections are kept; those unused for longest go first."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """One API server, spoken to under one identity."""

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

    async def forget(self, cluster_id: UUID) -> None:
        """Let go of the connections to a cluster."""
        for for_people in (False, True):
            found = self._kept.pop((cluster_id, for_people), None)
            if found is not None:
                await found.session.close()

    async def aclose(self) -> None:
        """Let go of all connections."""
        for each in [*self._kept.values()]:
            await each.session.close()
        self._kept.clear()

    async def _find(
        self, cluster_id: UUID, attempt_id: UUID | None, *, for_people: bool
    ) -> Upstream:
        key = (cluster_id, for_people)
        found = self._kept.get(key)
        if found is not None and found.attempt_id == attempt_id:
            self._kept.move_to_end(key)
            return found
        async with self._database.reading() as session:
            way = await access.way_into(session, cluster_id)
        if way is None:
            raise NotReady("the way into the cluster is not known", fix="wait until it is ready")
        found = self._kept.get(key)  # another one may have come first
        if found is None or found.attempt_id != way.attempt_id:
            made = self._connect(cluster_id, way, for_people=for_people)
            if found is not None:
                await found.session.close()
            self._kept[key] = found = made
        self._kept.move_to_end(key)
        while len(self._kept) > MOST:
            _, oldest = self._kept.popitem(last=False)
            await oldest.session.close()
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
