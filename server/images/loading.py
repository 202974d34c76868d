"""Bring images into the nodes of clusters, and list those that are there."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from typing import Final
from uuid import UUID

import anyio

from pyk8s.wire.accounts import User
from pyk8s.wire.facts import ImagesLoaded
from pyk8s.wire.images import LoadedImages
from server.drivers.base import DriverError, NodeImage
from server.drivers.shared import Shared
from server.errors import ClusterAway, ImageRefused, TooManyUploads
from server.images.archive import Archive
from server.kube.own_host import Nodes, OwnHost
from server.kube.use import Use
from server.kube.waking import Waker
from server.store import event_log
from server.store.database import Database

AT_ONCE: Final = 4
"""Archives on their way at the same time: each keeps a disk busy."""
MOST_NAMES: Final = 1000
"""Of images of one archive that are told."""
LIST_SECONDS: Final = 15.0
LISTED_SECONDS: Final = 5.0
"""So long a list is believed: Kubernetes pulls images without telling."""
LISTS_AT_ONCE: Final = 8
"""Clusters whose nodes are asked at the same time: for each node a program is run."""


class Images:
    """The images in the clusters of this process's own host."""

    def __init__(
        self,
        database: Database,
        own_host: OwnHost,
        waker: Waker,
        use: Use,
        *,
        most_bytes: int,
        most_seconds: float,
    ) -> None:
        """`most_bytes`: the longest archive. `most_seconds`: until it is in the nodes."""
        self._database = database
        self._own_host = own_host
        self._waker = waker
        self._use = use
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._under_way: set[UUID] = set()
        self._listed = Shared[UUID, Sequence[NodeImage]](
            seconds=LISTED_SECONDS, at_once=LISTS_AT_ONCE
        )

    async def load(
        self, cluster_id: UUID, pieces: AsyncIterator[bytes], *, user: User
    ) -> LoadedImages:
        """Take an archive of images into every node, as it comes; a paused cluster is woken.

        A user loads one at a time, so that nobody takes all the places of the server.

        Raises:
            NotReady, ServedElsewhere: as `OwnHost.nodes_of`; or it was paused, and does not wake.
            TooManyUploads: the user loads one already, or others take all the places.
            ImageRefused, TooLarge: as `Archive.plain`; or the nodes cannot take it, or not in time.
            NotReady: the cluster was deleted while they were brought in.
        """
        archive = Archive(pieces, most_bytes=self._most_bytes)
        with self._room(user.id), self._use.holding(cluster_id):
            nodes = await self._own_host.nodes_of(cluster_id)
            await self._waker.awake(cluster_id)
            try:
                with anyio.fail_after(self._most_seconds):
                    async with aclosing(archive.plain()) as plain:
                        names = await nodes.driver.load_images(nodes.attempt_id, plain)
            except TimeoutError as error:
                raise ImageRefused(
                    f"the archive was not in the nodes after {self._most_seconds:g} s",
                    fix="load fewer images at once, or let the operator raise "
                    "PYK8S_IMAGE_LOAD_SECONDS",
                ) from error
            except DriverError as error:
                why = error.explanation
                raise ImageRefused(why.cause, fix=why.fix) from error
            finally:
                self._listed.forget(nodes.attempt_id)
        # A node's owner may have replaced what gives the names.
        told = sorted({name for name in names if name.isprintable()})[:MOST_NAMES]
        loaded = LoadedImages(names=told, size_bytes=archive.size_bytes)
        async with self._database.for_people(cluster_id).transaction() as session:
            fact = ImagesLoaded(names=loaded.names, size_bytes=loaded.size_bytes, by=user.username)
            await event_log.append_use(session, cluster_id, fact)
        return loaded

    async def list(self, cluster_id: UUID) -> Sequence[NodeImage]:
        """List the images in the nodes of a cluster that is awake.

        Raises:
            NotReady, ServedElsewhere: as `OwnHost.nodes_of`.
            ClusterAway: its nodes do not answer.
        """
        nodes = await self._own_host.nodes_of(cluster_id)
        try:
            return await self._listed.get(nodes.attempt_id, partial(_list, nodes))
        except (DriverError, TimeoutError) as error:
            raise ClusterAway(
                "the cluster's nodes do not tell their images",
                fix="see whether their host is overloaded, then try again",
                retry_after=5,
            ) from error

    @contextmanager
    def _room(self, user_id: UUID) -> Iterator[None]:
        if user_id in self._under_way:
            raise TooManyUploads(
                "you are loading an archive already",
                fix="wait until it is done, or put all images into one archive: "
                "docker save IMAGE IMAGE",
                retry_after=10,
            )
        if len(self._under_way) >= AT_ONCE:
            raise TooManyUploads(
                f"{AT_ONCE} archives are being loaded by this server",
                fix="try again when one of them is done",
                retry_after=10,
            )
        self._under_way.add(user_id)
        try:
            yield
        finally:
            self._under_way.discard(user_id)


async def _list(nodes: Nodes) -> Sequence[NodeImage]:
    with anyio.fail_after(LIST_SECONDS):
        return await nodes.driver.images(nodes.attempt_id)
