"""Follow a cluster: subscribe, see whether it has ended, read after the cursor, wait, repeat.

While PostgreSQL is away a follower waits and says from time to time where it stands: no connection
is given up for it.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import anyio

from pyk8s.wire.cluster import Cluster, Phase
from server.errors import Unavailable
from server.fanout.feed import ClusterFeed, Listener
from server.fanout.frames import events_frame
from server.fanout.hub import READ_SECONDS, Hub, OwnerWatch
from server.store import clusters, event_reads
from server.store.database import Database
from server.store.heads import Head
from server.store.runs import SEPARATOR, Run

AWAY_SECONDS: Final = 2.0
"""While PostgreSQL is away: between two tries, each of which is told."""
RETRY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in order. `frame` is how they go over the WebSocket, header and all."""

    run: Run
    frame: bytes


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Nothing after `seq` at this moment. Said once after each catch-up, and every so often."""

    seq: int


@dataclass(frozen=True, slots=True)
class FellBehind:
    """The follower is slower than the cluster; events `first` to `last` come from the database."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The cluster is deleted; nothing will ever come after `seq`."""

    seq: int


Followed = Batch | CaughtUp | FellBehind | Ended


async def follow_cluster(
    hub: Hub,
    database: Database,
    cluster_id: UUID,
    *,
    after: int,
    listener: Listener | None = None,
) -> AsyncGenerator[Followed, None]:
    """Give every event with a number above `after`, then new ones as they are committed.

    `listener`: is told of those in this one's stead, which ends when there is nothing more.
    """
    with hub.watch_cluster(cluster_id) as feed:
        while (last := await _last_seq(database, cluster_id, after)) is None:
            yield FellBehind(after + 1, after + 1)
            await anyio.sleep(AWAY_SECONDS)
        if last == _OVER:
            yield Ended(after)
            return
        feed.begin(last)
        async with aclosing(follow_feed(feed, after=after, listener=listener)) as following:
            async for item in following:
                yield item


async def follow_feed(
    feed: ClusterFeed,
    *,
    after: int,
    was_live: bool = False,
    listener: Listener | None = None,
) -> AsyncGenerator[Followed, None]:
    """Do the same with a feed that has begun, and is kept. `was_live`: it had everything once."""
    cursor, has_spoken = after, True
    while True:
        wake = feed.next_wake()
        if was_live and feed.lags(cursor):
            was_live = False
            yield FellBehind(cursor + 1, feed.head)
        try:
            runs = await feed.after(cursor)
        except Unavailable:
            yield FellBehind(cursor + 1, max(feed.head, cursor + 1))
            await anyio.sleep(AWAY_SECONDS)
            continue
        for run in runs:
            cursor = run.last
            yield Batch(run, feed.frame(run))
            if run.is_end:
                yield Ended(cursor)
                return
        if runs:
            has_spoken = True
            continue
        # While lines come one after the other, each of them says as much as a bookmark; so do
        # those that are being read.
        if feed.is_cut_off:
            yield FellBehind(cursor + 1, max(feed.head, cursor + 1))
        elif not feed.is_behind:
            if not was_live or not has_spoken:
                yield CaughtUp(cursor)
            was_live, has_spoken = True, False
            if listener is not None and feed.attach(listener, cursor):
                return
        await wake.wait()


_OVER: Final = -1


async def _last_seq(database: Database, cluster_id: UUID, after: int) -> int | None:
    """Give how far the log is. `_OVER`: nothing will come after `after`. None: nobody can say."""
    try:
        with anyio.fail_after(READ_SECONDS):
            async with database.reading() as session:
                cluster = await clusters.get_any(session, cluster_id)
                if cluster is None:
                    return _OVER
                if cluster.phase is not Phase.DELETED:
                    return cluster.last_seq
                end = await event_reads.end_of(session, cluster_id)
    except (Unavailable, TimeoutError):
        return None
    return _OVER if end is None or after >= end else end


@dataclass(frozen=True, slots=True)
class Snapshots:
    """All living clusters of the owner."""

    clusters: list[Cluster]


async def follow_owner(
    hub: Hub, database: Database, owner_id: UUID
) -> AsyncGenerator[Snapshots | Batch | CaughtUp, None]:
    """Give the snapshots of the owner's clusters, then every event of theirs but log lines."""
    with hub.watch_owner(owner_id) as watch:
        first = await _all_of(database, owner_id)
        while first is None:
            await anyio.sleep(RETRY_SECONDS)
            first = await _all_of(database, owner_id)
        yield Snapshots(first)
        cursors = {cluster.id: cluster.last_seq for cluster in first}
        while True:
            await watch.wait()
            if not watch.hinted:
                yield CaughtUp(max(cursors.values(), default=0))
            async for batch in _news(database, watch, cursors):
                yield batch


MOST: Final = 10_000
_PAGE: Final = 500


async def _all_of(database: Database, owner_id: UUID) -> list[Cluster] | None:
    try:
        with anyio.fail_after(READ_SECONDS):
            async with database.reading() as session:
                return (await clusters.list_of(session, owner_id, limit=MOST)).items
    except (Unavailable, TimeoutError):
        return None


async def _news(
    database: Database, watch: OwnerWatch, cursors: dict[UUID, int]
) -> AsyncIterator[Batch]:
    """Give what was hinted. What cannot be read stays hinted."""
    hinted, watch.hinted = watch.hinted, {}
    for cluster_id, head in hinted.items():
        if head.is_deleted and cluster_id not in cursors:
            continue  # it was over before this follower came
        try:
            async for batch in _state_events(database, head, cursors):
                yield batch
        except (Unavailable, TimeoutError):
            await anyio.sleep(RETRY_SECONDS)
            if cluster_id not in watch.hinted:
                watch.hint(head)


async def _state_events(
    database: Database, head: Head, cursors: dict[UUID, int]
) -> AsyncIterator[Batch]:
    cluster_id = head.cluster_id
    while cursors.setdefault(cluster_id, 0) < head.seq:
        with anyio.fail_after(READ_SECONDS):
            async with database.reading() as session:
                events = await event_reads.read_stored(
                    session, cluster_id, after=cursors[cluster_id], limit=_PAGE, facts_only=True
                )
        # Everything up to the hinted number was committed before the hint: if the page is not
        # full, there are only log lines between its end and there.
        last = events[-1].seq if events else 0
        cursors[cluster_id] = last if len(events) == _PAGE else max(last, head.seq)
        if events:
            inner = SEPARATOR.join(event.encode(cluster_id) for event in events)
            run = Run(events[0].seq, last, SEPARATOR.join(event.text for event in events))
            yield Batch(run, events_frame("clusters", inner))
