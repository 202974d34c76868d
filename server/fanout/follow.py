"""Follow a cluster: subscribe, see whether it has ended, read after the cursor, wait, repeat."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import anyio

from pyk8s.wire.cluster import Cluster, Phase
from server.fanout.feed import Encoded, encode
from server.fanout.hub import Hub
from server.store import clusters, event_log
from server.store.database import Database

LOOK_SECONDS: Final = 10.0
"""A hint can be lost in ways that nobody notices; so everybody looks this often anyway."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in order. `frame` is how they go over the WebSocket."""

    events: Sequence[Encoded]
    frame: str


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
    hub: Hub, database: Database, cluster_id: UUID, *, after: int
) -> AsyncGenerator[Followed, None]:
    """Give every event with a number above `after`, then new ones as they are committed."""
    topic = f"cluster:{cluster_id}"
    with hub.watch_cluster(cluster_id) as feed:
        async with database.reading() as session:
            seen = await clusters.get_any(session, cluster_id)
        if seen is None or (seen.phase is Phase.DELETED and after >= seen.last_seq):
            yield Ended(after)
            return
        cursor, look, was_live = after, True, False
        while True:
            hint = feed.next_hint()
            if was_live and feed.lags(cursor):
                was_live = False
                yield FellBehind(cursor + 1, feed.head)
            events = await feed.after(cursor, look=look)
            if events:
                look = False
                cursor = events[-1].seq
                yield Batch(events, feed.frame(topic, events))
                if events[-1].is_last:
                    yield Ended(cursor)
                    return
                continue
            was_live = True
            yield CaughtUp(cursor)
            with anyio.move_on_after(LOOK_SECONDS) as waited:
                await hint.wait()
            look = waited.cancelled_caught


@dataclass(frozen=True, slots=True)
class Snapshots:
    """All living clusters of the owner."""

    clusters: list[Cluster]


async def follow_owner(
    hub: Hub, database: Database, owner_id: UUID
) -> AsyncGenerator[Snapshots | Batch, None]:
    """Give the snapshots of the owner's clusters, then every event of theirs but log lines."""
    with hub.watch_owner(owner_id) as watch:
        async with database.reading() as session:
            first = (await clusters.list_of(session, owner_id, limit=MOST)).items
        yield Snapshots(first)
        cursors = {cluster.id: cluster.last_seq for cluster in first}
        while True:
            with anyio.move_on_after(LOOK_SECONDS) as waited:
                await watch.wait()
            hinted, watch.hinted = watch.hinted, {}
            if waited.cancelled_caught or watch.may_have_missed:
                watch.may_have_missed = False
                async with database.reading() as session:
                    hinted = await clusters.heads(session, owner_id, known=cursors)
            for cluster_id, head in hinted.items():
                async for batch in _state_events(database, cluster_id, cursors, head):
                    yield batch


MOST: Final = 10_000
_PAGE: Final = 500


async def _state_events(
    database: Database, cluster_id: UUID, cursors: dict[UUID, int], head: int
) -> AsyncIterator[Batch]:
    while cursors.setdefault(cluster_id, 0) < head:
        async with database.reading() as session:
            stored = await event_log.read_stored(
                session,
                cluster_id,
                after=cursors[cluster_id],
                limit=_PAGE,
                but=("log_line",),
            )
        events = [encode(event, cluster_id) for event in stored]
        # Everything up to the hinted number was committed before the hint: if the page is not
        # full, there are only log lines between its end and there.
        last = events[-1].seq if events else 0
        cursors[cluster_id] = last if len(events) == _PAGE else max(last, head)
        if events:
            inner = ",".join(event.text for event in events)
            yield Batch(events, f'{{"type":"events","topic":"clusters","events":[{inner}]}}')
        if events and events[-1].is_last:
            del cursors[cluster_id]
            return
