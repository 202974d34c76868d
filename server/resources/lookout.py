"""Looking into clusters: all viewers of one cluster share what watches it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

import anyio
import anyio.abc

from pyk8s.wire.resources import Kind, ResourcesAway
from server.resources.sight import LINGER_SECONDS, Reach, Sight, Sleep
from server.resources.table import Entry, Viewer

GATHER_SECONDS: Final = 0.2
"""What happens within this time is told at once: people read no faster."""
BEAT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Everything:
    """All rows; what was told before is void."""

    entries: list[Entry]
    more: dict[Kind, int]


@dataclass(frozen=True, slots=True)
class Change:
    """What is different now."""

    changed: dict[str, Entry | None]
    more: dict[Kind, int]


@dataclass(frozen=True, slots=True)
class Beat:
    """Nothing has happened."""


Seen = Everything | Change | ResourcesAway | Beat


class Lookout:
    """One for the process; made by the composition root, which also runs it."""

    def __init__(
        self,
        reach: Reach,
        *,
        sleep: Sleep = anyio.sleep,
        linger_seconds: float = LINGER_SECONDS,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self._reach = reach
        self._sleep = sleep
        self._linger_seconds = linger_seconds
        self._beat_seconds = beat_seconds
        self._sights: dict[UUID, Sight] = {}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._started = anyio.Event()

    @property
    def watched(self) -> frozenset[UUID]:
        """The clusters that are watched now."""
        return frozenset(self._sights)

    async def run(self) -> None:
        """Own what watches, until cancelled."""
        async with anyio.create_task_group() as self._tasks:
            self._started.set()
            await anyio.sleep_forever()

    async def look(self, cluster_id: UUID) -> AsyncGenerator[Seen]:
        """Give everything as soon as it is known, then what changes, until closed.

        While the cluster does not answer, `ResourcesAway` says why, once; everything comes anew
        when it does. Whoever is slow gets fewer and larger changes.
        """
        await self._started.wait()
        sight = self._sight(cluster_id)
        viewer = sight.join()
        try:
            told: ResourcesAway | None = None
            while True:
                seen = self._next(sight, viewer, told)
                if seen is None:
                    with anyio.move_on_after(self._beat_seconds) as limit:
                        await viewer.woken.wait()
                        if not viewer.anew and sight.is_whole:
                            await self._sleep(GATHER_SECONDS)
                    viewer.woken = anyio.Event()
                    seen = self._next(sight, viewer, told)
                    if seen is None and not limit.cancelled_caught:
                        continue
                if isinstance(seen, ResourcesAway):
                    told = seen
                elif isinstance(seen, Everything):
                    told = None
                yield seen or Beat()
        finally:
            sight.leave(viewer)

    def _next(self, sight: Sight, viewer: Viewer, told: ResourcesAway | None) -> Seen | None:
        if sight.away is not None:
            return sight.away if sight.away is not told else None
        if not sight.is_whole:
            return None
        if viewer.anew:
            viewer.anew = False
            return Everything(sight.table.entries, sight.table.more)
        changed = viewer.take()
        return Change(changed, sight.table.more) if changed else None

    def _sight(self, cluster_id: UUID) -> Sight:
        sight = self._sights.get(cluster_id)
        if sight is None:
            assert self._tasks is not None
            sight = Sight(cluster_id, self._reach, sleep=self._sleep)
            self._sights[cluster_id] = sight
            forget = partial(self._forget, cluster_id)
            self._tasks.start_soon(
                partial(sight.run, linger_seconds=self._linger_seconds, on_unwatched=forget)
            )
        return sight

    def _forget(self, cluster_id: UUID) -> None:
        del self._sights[cluster_id]
