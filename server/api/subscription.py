"""What a connection of the stream follows: one cluster, or all clusters of its user.

A subscription works in a task of the hub while it has something to do. Who has all that
a cluster's feed has needs none: the feed hands it what is new, and sends it to work when that
does not go at once.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

import anyio

from pyk8s.wire.cluster import Cluster
from pyk8s.wire.frames import (
    Bookmark,
    ClusterSnapshot,
    ClustersSnapshot,
    End,
    Lagged,
    ServerFrame,
    Subscribe,
)
from server.api.audience import patiently
from server.api.outlet import Outlet
from server.api.protocol import Closed
from server.fanout.feed import ClusterFeed
from server.fanout.follow import (
    Batch,
    CaughtUp,
    Ended,
    FellBehind,
    Followed,
    Snapshots,
    follow_cluster,
    follow_feed,
    follow_owner,
)
from server.fanout.frames import ready
from server.fanout.hub import Hub
from server.store import clusters
from server.store.database import Database
from server.store.runs import Run

CLUSTER_PREFIX: Final = "cluster:"
ALL: Final = "clusters"

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Sources:
    """What the subscriptions of a connection read, as whom, and where it goes."""

    hub: Hub
    database: Database
    owner_id: UUID
    outlet: Outlet
    start: Callable[["Subscription", Work], None]
    """Does the work of a subscription in a task."""


class Subscription:
    """One topic of a connection. `is_over`: nothing will come of it any more."""

    __slots__ = ("_scope", "_sources", "is_over", "topic")

    def __init__(self, sources: Sources, topic: str) -> None:
        self._sources = sources
        self.topic = topic
        self.is_over = False
        self._scope: anyio.CancelScope | None = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Do some work, until the subscription ends."""
        self._scope = scope = anyio.CancelScope()
        if self.is_over:  # before the task had begun
            scope.cancel()
        with scope:
            yield
        if self._scope is scope:
            self._scope = None

    async def send(self, frame: ServerFrame) -> None:
        """Write a frame and send it. Raises as `write`."""
        await self.write(ready(frame))

    async def write(self, frame: bytes) -> None:
        """Send a frame that is ready, unless the client leaves the topic before it can be sent.

        Raises:
            WebSocketDisconnect: there is nobody any more.
        """
        await self._sources.outlet.write(frame, is_wanted=lambda: not self.is_over)

    def end(self) -> None:
        """Be over; to say it again does nothing."""
        self.is_over = True
        if self._scope is not None:
            self._scope.cancel()


class OwnerSubscription(Subscription):
    """All clusters of the user."""

    __slots__ = ()

    async def begin(self) -> None:
        """Follow them."""
        sources = self._sources
        following = follow_owner(sources.hub, sources.database, sources.owner_id)
        async with aclosing(following):
            async for item in following:
                match item:
                    case Snapshots(clusters=living):
                        newest = max((cluster.last_seq for cluster in living), default=0)
                        await self.send(ClustersSnapshot(topic=ALL, seq=newest, clusters=living))
                    case Batch(frame=frame):
                        await self.write(frame)
                    case CaughtUp(seq=seq):
                        await self.send(Bookmark(topic=ALL, seq=seq))


class ClusterSubscription(Subscription):
    """One cluster. It is a `Listener` of the cluster's feed."""

    __slots__ = ("_after", "_cluster_id", "_cursor", "_feed", "_has_spoken")

    def __init__(self, sources: Sources, frame: Subscribe) -> None:
        super().__init__(sources, frame.topic)
        self._after = frame.after
        self._cursor = 0
        self._has_spoken = False
        self._cluster_id: UUID | None = None
        self._feed: ClusterFeed | None = None

    async def begin(self) -> None:
        """Say the first word, then follow the cluster.

        Raises:
            Closed: there is no such topic, or the client is somewhere else.
        """
        sources = self._sources
        cluster = await patiently(partial(_cluster_of, sources, self.topic))
        if self._after is None:
            self._cursor = cluster.last_seq
            await self.send(
                ClusterSnapshot(topic=self.topic, seq=cluster.last_seq, cluster=cluster)
            )
        elif self._after <= cluster.last_seq:
            self._cursor = self._after
        else:
            raise Closed(
                "unknown_position",
                f"you have {self._after}, the log ends at {cluster.last_seq}",
                topic=self.topic,
            )
        if self.is_over:  # nobody would let go of the feed
            return
        self._cluster_id, feed = cluster.id, sources.hub.watch(cluster.id)
        self._feed = feed
        await self._follow(
            feed,
            follow_cluster(
                sources.hub, sources.database, cluster.id, after=self._cursor, listener=self
            ),
        )

    def end(self) -> None:
        """Be over, and need the feed no longer."""
        super().end()
        if self._feed is not None and self._cluster_id is not None:
            self._feed.detach(self)
            self._feed = None
            self._sources.hub.unwatch(self._cluster_id)

    def take(self, run: Run, frame: bytes) -> bool:
        """Hand the next events on, if the client takes them at once."""
        if not self._sources.outlet.write_now(frame):
            return False
        self._cursor, self._has_spoken = run.last, True
        return True

    def is_well(self, feed: ClusterFeed) -> bool:
        """Say a bookmark where nothing was said since the last look."""
        if feed.is_cut_off:
            return False
        has_spoken, self._has_spoken = self._has_spoken, False
        if has_spoken or feed.is_behind:
            return True
        return self._sources.outlet.write_now(feed.bookmark())

    def go_on(self) -> None:
        """Follow in a task from here on."""
        self._sources.start(self, self._resume)

    async def _resume(self) -> None:
        if self._feed is not None:
            following = follow_feed(self._feed, after=self._cursor, was_live=True, listener=self)
            await self._follow(self._feed, following)

    async def _follow(self, feed: ClusterFeed, following: AsyncGenerator[Followed, None]) -> None:
        topic = self.topic
        try:
            async with aclosing(following):
                async for item in following:
                    match item:
                        case Batch(run=run, frame=frame):
                            await self.write(frame)
                            self._cursor = run.last
                        case CaughtUp(seq=seq):
                            await self.send(Bookmark(topic=topic, seq=seq))
                        case FellBehind(first=first, last=last):
                            await self.send(Lagged(topic=topic, from_=first, to=last))
                        case Ended(seq=seq):
                            await self.send(End(topic=topic, seq=seq))
                            self.end()
        finally:
            if self.is_over:  # it may have attached in the moment in which it was ended
                feed.detach(self)


async def _cluster_of(sources: Sources, topic: str) -> Cluster:
    gone = Closed("no_such_topic", f"no topic {topic!r}", topic=topic)
    if not topic.startswith(CLUSTER_PREFIX):
        raise gone
    try:
        cluster_id = UUID(topic.removeprefix(CLUSTER_PREFIX))
    except ValueError:
        raise gone from None
    if topic != f"{CLUSTER_PREFIX}{cluster_id}":  # its frames would bear another topic
        raise gone
    async with sources.database.reading() as session:
        cluster = await clusters.get(session, sources.owner_id, cluster_id)
    if cluster is None:
        raise gone
    return cluster
