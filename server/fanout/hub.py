"""Where hints arrive and followers wait. It holds no events but each watched cluster's ring."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol
from uuid import UUID

import anyio
import anyio.abc

from server.errors import Unavailable
from server.fanout.feed import ClusterFeed, Work
from server.store import event_reads, heads
from server.store.database import Database
from server.store.heads import Head
from server.store.hints import EventHint
from server.store.runs import Run

LOOK_SECONDS: Final = 10.0
"""A hint can be lost in ways that nobody notices; so the hub looks this often anyway."""
BOOKMARK_SECONDS: Final = 10.0
"""Every follower is woken this often, and says where it is when nothing has happened."""
SLICES: Final = 50
READ_SECONDS: Final = 5.0
"""Who waits for longer is told that PostgreSQL does not answer, and tries again."""
RETRY_SECONDS: Final = 1.0


@dataclass(eq=False)
class OwnerWatch:
    """One follower of all clusters of an owner: what was hinted since it last looked."""

    hinted: dict[UUID, Head] = field(default_factory=dict)
    _woken: anyio.Event = field(default_factory=anyio.Event)

    def hint(self, head: Head) -> None:
        """A cluster has state events up to a number."""
        self.hinted[head.cluster_id] = head
        self._woken.set()

    def wake(self) -> None:
        """Have the follower look, and say where it is."""
        self._woken.set()

    async def wait(self) -> None:
        """Wait for something to look at; then forget that it was said."""
        await self._woken.wait()
        self._woken = anyio.Event()


class Waiting(Protocol):
    """Followers that can be woken."""

    def wake(self) -> None:
        """Have them look."""


class Hub:
    """Wakes those who watch. Lives as long as the process; made by the composition root."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks: anyio.abc.TaskGroup | None = None
        self._waiting: list[Work] = []
        self._feeds: dict[UUID, tuple[ClusterFeed, int]] = {}
        self._owners: dict[UUID, set[OwnerWatch]] = {}
        self._work = anyio.Event()
        self._doubt = anyio.Event()

    def on_event(self, hint: EventHint) -> None:
        """Take a hint: a cluster has events up to a number."""
        head = Head(hint.cluster_id, hint.owner_id, hint.seq, is_deleted=False)
        self._tell(head, has_state=hint.has_state)

    def on_job(self) -> None:
        """Take a hint: there may be work."""
        self._work.set()

    def on_may_have_missed(self) -> None:
        """Hints may have been lost: look what there is."""
        self._doubt.set()
        self._work.set()

    async def look(self) -> None:
        """Ask once how far everything is that is watched, and wake those who have less.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        if not self._feeds and not self._owners:
            return
        async with self._database.reading() as session:
            found = await heads.heads_of(
                session, cluster_ids=list(self._feeds), owner_ids=list(self._owners)
            )
        for head in found:
            self._tell(head, has_state=True)

    async def run(
        self,
        *,
        every_seconds: float = LOOK_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """Read what is hinted, and look by itself again and again, until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            for work in self._waiting:
                self._tasks.start_soon(work)
            self._tasks.start_soon(self._look_again, every_seconds, sleep)
            self._tasks.start_soon(self._have_bookmarks_said, sleep)

    async def _look_again(
        self, every_seconds: float, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        while True:
            with anyio.move_on_after(every_seconds):
                await self._doubt.wait()
            self._doubt = anyio.Event()
            try:
                await self.look()
            except Unavailable:
                self._doubt.set()
                await sleep(RETRY_SECONDS)

    async def _have_bookmarks_said(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Wake followers a few at a time, so that no timer is needed for each of them."""
        while True:
            waiting: list[Waiting] = [feed for feed, _ in self._feeds.values()]
            waiting += [watch for watches in self._owners.values() for watch in watches]
            slices = min(SLICES, len(waiting)) or 1
            for slice_ in range(slices):
                for each in waiting[slice_::slices]:
                    each.wake()
                await sleep(BOOKMARK_SECONDS / slices)

    def start(self, work: Work) -> None:
        """Do some work for a follower in a task of the hub's own. It must not fail."""
        if self._tasks is None:
            self._waiting.append(work)
        else:
            self._tasks.start_soon(work)

    async def _read(self, cluster_id: UUID, after: int) -> Sequence[Run]:
        try:
            with anyio.fail_after(READ_SECONDS):
                async with self._database.reading() as session:
                    return await event_reads.read_runs(session, cluster_id, after=after)
        except TimeoutError as error:
            raise Unavailable("PostgreSQL does not answer") from error

    def _tell(self, head: Head, *, has_state: bool) -> None:
        watched = self._feeds.get(head.cluster_id)
        if watched is not None:
            watched[0].hint(head.seq)
        if has_state:
            for watch in self._owners.get(head.owner_id, ()):
                watch.hint(head)

    async def wait_for_work(self, seconds: float) -> None:
        """Return at a hint since the last call, or after so many seconds. For one waiter."""
        with anyio.move_on_after(seconds):
            await self._work.wait()
        self._work = anyio.Event()

    @contextmanager
    def watch_cluster(self, cluster_id: UUID) -> Iterator[ClusterFeed]:
        """Share the feed of a cluster with all that watch it at the same time."""
        feed = self.watch(cluster_id)
        try:
            yield feed
        finally:
            self.unwatch(cluster_id)

    def watch(self, cluster_id: UUID) -> ClusterFeed:
        """Give the feed of a cluster, and keep it until `unwatch` is called as often."""
        feed, watchers = self._feeds.get(cluster_id) or (
            ClusterFeed(f"cluster:{cluster_id}", partial(self._read, cluster_id), self.start),
            0,
        )
        self._feeds[cluster_id] = (feed, watchers + 1)
        return feed

    def unwatch(self, cluster_id: UUID) -> None:
        """Need the feed no longer."""
        feed, watchers = self._feeds[cluster_id]
        if watchers == 1:
            del self._feeds[cluster_id]
        else:
            self._feeds[cluster_id] = (feed, watchers - 1)

    @contextmanager
    def watch_owner(self, owner_id: UUID) -> Iterator[OwnerWatch]:
        """Be woken when a state event of one of the owner's clusters is there."""
        watch = OwnerWatch()
        self._owners.setdefault(owner_id, set()).add(watch)
        try:
            yield watch
        finally:
            self._owners[owner_id].discard(watch)
            if not self._owners[owner_id]:
                del self._owners[owner_id]
