"""The recent events of one watched cluster, read once from the database for all its followers."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Final
from uuid import UUID

import anyio

from server.store import event_reads
from server.store.database import Database
from server.store.runs import RUN_CHARS, RUN_EVENTS, Run, join

RING_CHARS: Final = 2 * 1024 * 1024
READ_SECONDS: Final = 5.0
"""Who waits for longer is told that PostgreSQL does not answer, and tries again."""
FRAMES: Final = 16
"""So many frames are kept; followers at the same place share one."""


class ClusterFeed:
    """A ring of the newest events; what is older comes from the database.

    There is no task behind it: the follower that is first to look after a hint reads for all.
    """

    def __init__(self, database: Database, cluster_id: UUID) -> None:
        self._database = database
        self._cluster_id = cluster_id
        self._ring: deque[Run] = deque()
        self._ring_chars = 0
        self._floor: int | None = None  # the ring holds every event above it, up to _head
        self._head = 0
        self._hinted = 0
        self._reading = anyio.Lock(fast_acquire=True)
        self._woken = anyio.Event()
        self._frames: OrderedDict[tuple[int, int], str] = OrderedDict()

    def hint(self, seq: int) -> None:
        """There are events up to `seq`."""
        if seq > self._hinted:
            self._hinted = seq
            self._woken.set()
            self._woken = anyio.Event()

    @property
    def head(self) -> int:
        """The last number that the ring holds."""
        return self._head

    def next_hint(self) -> anyio.Event:
        """Give what the next hint sets. Take it before reading, wait on it after."""
        return self._woken

    def lags(self, cursor: int) -> bool:
        """Tell whether a follower at `cursor` is behind what the ring still holds."""
        return self._floor is not None and cursor < self._floor

    async def after(self, cursor: int) -> Sequence[Run]:
        """Give the next events after `cursor`; none when there are none as far as was hinted.

        Raises:
            Unavailable: PostgreSQL does not answer.
            TimeoutError: nor does it say no.
        """
        if self.lags(cursor):
            return await self._read(cursor)
        if cursor < self._head:
            return self._from_ring(cursor)
        if cursor == self._head >= self._hinted and self._floor is not None:
            return ()
        with anyio.fail_after(READ_SECONDS):
            async with self._reading:
                if self._floor is None or cursor > self._head:
                    self._restart_at(cursor)
                if cursor == self._head and self._hinted > self._head:
                    await self._extend()
        return self._from_ring(cursor)

    def frame(self, topic: str, run: Run) -> str:
        """Write the frame of these events; followers at the same place share the text."""
        place = (run.first, run.last)
        text = self._frames.get(place)
        if text is None:
            text = f'{{"type":"events","topic":"{topic}","events":[{run.text}]}}'
            self._frames[place] = text
            if len(self._frames) > FRAMES:
                self._frames.popitem(last=False)
        return text

    def _from_ring(self, cursor: int) -> Sequence[Run]:
        """Give what a frame can hold. Small runs make one: who is behind catches up with few."""
        if self.lags(cursor) or cursor >= self._head:
            return ()
        taken: list[Run] = []
        count = chars = 0
        ahead = list(takewhile(lambda run: run.last > cursor, reversed(self._ring)))
        for run in reversed(ahead):
            next_run = run.after(cursor)
            count += next_run.last - next_run.first + 1
            chars += len(next_run.text)
            if taken and (count > RUN_EVENTS or chars > RUN_CHARS):
                break
            taken.append(next_run)
        return (join(taken),)

    async def _read(self, cursor: int) -> Sequence[Run]:
        with anyio.fail_after(READ_SECONDS):
            async with self._database.reading() as session:
                return await event_reads.read_runs(session, self._cluster_id, after=cursor)

    def _restart_at(self, cursor: int) -> None:
        self._ring.clear()
        self._frames.clear()
        self._ring_chars = 0
        self._floor = self._head = cursor

    async def _extend(self) -> None:
        for run in await self._read(self._head):
            self._ring.append(run)
            self._ring_chars += len(run.text)
            self._head = run.last
        while self._ring_chars > RING_CHARS and len(self._ring) > 1:
            dropped = self._ring.popleft()
            self._ring_chars -= len(dropped.text)
            self._floor = dropped.last
