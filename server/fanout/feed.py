"""The recent events of one watched cluster, read once from the database for all its followers."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final
from uuid import UUID

import anyio
import orjson

from pyk8s.wire.cluster import Phase
from server.store import event_log
from server.store.database import Database

PAGE: Final = 1000
RING_EVENTS: Final = 4096
RING_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event as it goes over the wire. `is_last`: the cluster is deleted, nothing follows."""

    seq: int
    type: str
    text: str
    is_last: bool


def encode(event: event_log.StoredEvent, cluster_id: UUID | None = None) -> Encoded:
    """Write an event for the wire and see whether it is the last of its cluster."""
    is_last = event.type == "phase_changed" and orjson.loads(event.data)["to"] == Phase.DELETED
    return Encoded(event.seq, event.type, event.encode(cluster_id), is_last)


class ClusterFeed:
    """A ring of the newest events; what is older comes from the database.

    There is no task behind it: the follower that is first to look after a hint reads for all.
    """

    def __init__(self, database: Database, cluster_id: UUID) -> None:
        self._database = database
        self._cluster_id = cluster_id
        self._ring: deque[Encoded] = deque()
        self._ring_bytes = 0
        self._floor: int | None = None  # the ring holds every event above it, up to _head
        self._head = 0
        self._hinted = 0
        self._hints = 0
        self._reading = anyio.Lock()
        self._woken = anyio.Event()
        self._frame: tuple[int, int, str] | None = None

    def hint(self, seq: int | None) -> None:
        """There are events up to `seq`; None: there may be, nobody knows how many."""
        if seq is None:
            self._hinted = max(self._hinted, self._head + 1)
        else:
            self._hinted = max(self._hinted, seq)
        self._hints += 1
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

    async def after(self, cursor: int, *, look: bool) -> Sequence[Encoded]:
        """Give the next events after `cursor`, at most a page.

        `look`: ask the database even when no hint says that there is something.
        """
        if self.lags(cursor):
            return await self._read(cursor)
        async with self._reading:
            if self._floor is None or cursor > self._head:
                self._restart_at(cursor)
            if cursor == self._head:
                return await self._extend() if look or self._hinted > self._head else []
            # Numbers are contiguous, so the place in the ring is a subtraction.
            skip = cursor - (self._floor or 0)
            return list(islice(self._ring, skip, skip + PAGE))

    def frame(self, topic: str, events: Sequence[Encoded]) -> str:
        """Write the frame of these events; followers at the same place share the text."""
        first, last = events[0].seq, events[-1].seq
        if self._frame is None or self._frame[:2] != (first, last):
            inner = ",".join(event.text for event in events)
            text = f'{{"type":"events","topic":"{topic}","events":[{inner}]}}'
            self._frame = (first, last, text)
        return self._frame[2]

    async def _read(self, cursor: int) -> list[Encoded]:
        async with self._database.reading() as session:
            stored = await event_log.read_stored(
                session, self._cluster_id, after=cursor, limit=PAGE
            )
        return [encode(event) for event in stored]

    def _restart_at(self, cursor: int) -> None:
        self._ring.clear()
        self._ring_bytes = 0
        self._floor = self._head = cursor

    async def _extend(self) -> list[Encoded]:
        hints = self._hints
        events = await self._read(self._head)
        for event in events:
            self._ring.append(event)
            self._ring_bytes += len(event.text)
            self._head = event.seq
        while len(self._ring) > RING_EVENTS or self._ring_bytes > RING_BYTES:
            dropped = self._ring.popleft()
            self._ring_bytes -= len(dropped.text)
            self._floor = dropped.seq
        if len(events) < PAGE and hints == self._hints:
            self._hinted = self._head  # what was hinted has been read
        return events
