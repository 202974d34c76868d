"""Bring images into the nodes of clusters, and list those that are there."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Final
from uuid import UUID

import anyio

from pyk8s.wire.facts import ImagesLoaded
from pyk8s.wire.images import LoadedImages
from server.drivers.base import DriverError, NodeImage
from server.errors import ClusterAway, ImageRefused, TooManyUploads
from server.images.archive import Archive
from server.kube.own_host import OwnHost
from server.kube.use import Use
from server.kube.waking import Waker
from server.store import event_log
from server.store.database import Database

AT_ONCE: Final = 4
"""Archives on their way at the same time: each keeps a disk busy."""
LIST_SECONDS: Final = 15.0


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
    ) -> None:
        """`most_bytes`: the longest archive."""
        self._database = database
        self._own_host = own_host
        self._waker = waker
        self._use = use
        self._most_bytes = most_bytes
        self._under_way = 0

    async def load(
        self, cluster_id: UUID, pieces: AsyncIterator[bytes], *, by: str
    ) -> LoadedImages:
        """Take an archive of images into every node, as it comes; a paused cluster is woken.

        Raises:
            NotReady, ServedElsewhere: as `OwnHost.nodes_of`; or it was paused, and does not wake.
            TooManyUploads: others are being loaded.
            ImageRefused, TooLarge: as `Archive.plain`; or the nodes cannot take it.
            NotReady: the cluster was deleted while they were brought in.
        """
        archive = Archive(pieces, most_bytes=self._most_bytes)
        with self._room(), self._use.holding(cluster_id):
            nodes = await self._own_host.nodes_of(cluster_id)
            await self._waker.awake(cluster_id)
            try:
                async with aclosing(archive.plain()) as plain:
                    names = await nodes.driver.load_images(nodes.attempt_id, plain)
            except DriverError as error:
                why = error.explanation
                raise ImageRefused(why.cause, fix=why.fix) from error
        loaded = LoadedImages(names=sorted(names), size_bytes=archive.size_bytes)
        async with self._database.transaction() as session:
            fact = ImagesLoaded(names=loaded.names, size_bytes=loaded.size_bytes, by=by)
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
            with anyio.fail_after(LIST_SECONDS):
                return await nodes.driver.images(nodes.attempt_id)
        except (DriverError, TimeoutError) as error:
            raise ClusterAway(
                "the cluster's nodes do not tell their images",
                fix="see whether their host is overloaded, then try again",
                retry_after=5,
            ) from error

    @contextmanager
    def _room(self) -> Iterator[None]:
        if self._under_way >= AT_ONCE:
            raise TooManyUploads(
                f"{AT_ONCE} archives are being loaded by this server",
                fix="try again when one of them is done",
                retry_after=10,
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
