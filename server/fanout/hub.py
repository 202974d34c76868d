"""Where hints arrive and followers wait. It holds no events but each watched cluster's ring."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import anyio

from server.fanout.feed import ClusterFeed
from server.store.database import Database
from server.store.hints import EventHint


@dataclass(eq=False)
class OwnerWatch:
    """One follower of all clusters of an owner: what was hinted since it last looked."""

    hinted: dict[UUID, int] = field(default_factory=dict)
    may_have_missed: bool = False
    _woken: anyio.Event = field(default_factory=anyio.Event)

    def wake(self) -> None:
        """Let `wait` return."""
        self._woken.set()

    async def wait(self) -> None:
        """Wait for something to look at; then forget that it was said."""
        await self._woken.wait()
        self._woken = anyio.Event()


class Hub:
    """Wakes those who watch. Lives as long as the process; made by the composition root."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._feeds: dict[UUID, tuple[ClusterFeed, int]] = {}
        self._owners: dict[UUID, set[OwnerWatch]] = {}
        self._revocations: dict[UUID, set[anyio.Event]] = {}
        self._work = anyio.Event()

    def on_event(self, hint: EventHint) -> None:
        """Take a hint: a cluster has events up to a number."""
        watched = self._feeds.get(hint.cluster_id)
        if watched is not None:
            watched[0].hint(hint.seq)
        if hint.has_state:
            for watch in self._owners.get(hint.owner_id, ()):
                watch.hinted[hint.cluster_id] = hint.seq
                watch.wake()

    def on_job(self) -> None:
        """Take a hint: there may be work."""
        self._work.set()

    def on_revoked(self, credential_id: UUID) -> None:
        """Take a hint: a session or token has ended."""
        for ended in self._revocations.get(credential_id, ()):
            ended.set()

    def on_may_have_missed(self) -> None:
        """Hints may have been lost: everybody looks for themselves."""
        for feed, _ in self._feeds.values():
            feed.hint(None)
        for watches in self._owners.values():
            for watch in watches:
                watch.may_have_missed = True
                watch.wake()
        self._work.set()

    async def wait_for_work(self, seconds: float) -> None:
        """Return at a hint since the last call, or after so many seconds. For one waiter."""
        with anyio.move_on_after(seconds):
            await self._work.wait()
        self._work = anyio.Event()

    @contextmanager
    def watch_cluster(self, cluster_id: UUID) -> Iterator[ClusterFeed]:
        """Share the feed of a cluster with all that watch it at the same time."""
        feed, watchers = self._feeds.get(cluster_id) or (
            ClusterFeed(self._database, cluster_id),
            0,
        )
        self._feeds[cluster_id] = (feed, watchers + 1)
        try:
            yield feed
        finally:
            _, watchers = self._feeds[cluster_id]
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

    @contextmanager
    def watch_revocation(self, credential_id: UUID) -> Iterator[anyio.Event]:
        """Get an event that is set when the session or token ends."""
        ended = anyio.Event()
        self._revocations.setdefault(credential_id, set()).add(ended)
        try:
            yield ended
        finally:
            self._revocations[credential_id].discard(ended)
            if not self._revocations[credential_id]:
                del self._revocations[credential_id]
