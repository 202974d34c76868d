"""The clusters of this process's own host: only here can something be done in their nodes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from server.drivers.base import Driver
from server.errors import NotReady, ServedElsewhere
from server.store import access
from server.store.database import Database

FIX: Final = (
    "ask a server whose PYK8S_ROLES has `provisioner` on that host, or use kubectl with the "
    "cluster's kubeconfig"
)


@dataclass(frozen=True, slots=True)
class Here:
    """What makes this process the one that serves its host's clusters."""

    driver: Driver
    host_id: Callable[[], UUID | None]
    """None while the host has not announced itself."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Where the nodes of a cluster are, and what can reach into them."""

    driver: Driver
    attempt_id: UUID


class OwnHost:
    """Finds the nodes of clusters."""

    def __init__(self, database: Database, here: Here | None) -> None:
        """`here` None: this process is no provisioner, all nodes are elsewhere."""
        self._database = database
        self._here = here

    async def nodes_of(self, cluster_id: UUID) -> Nodes:
        """Find the nodes of a cluster.

        Raises:
            NotReady: the cluster is not up.
            ServedElsewhere: it runs on another host.
        """
        async with self._database.for_people(cluster_id).reading() as reading:
            place = await access.place_of(reading, cluster_id)
        if place is None:
            raise NotReady("the cluster is not up", fix="wait until it is ready", retry_after=2)
        if self._here is None or self._here.host_id() != place.host_id:
            raise ServedElsewhere(
                f"the cluster runs on the host {place.host_name}; this is served there", fix=FIX
            )
        return Nodes(self._here.driver, place.attempt_id)
