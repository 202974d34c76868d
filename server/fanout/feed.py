"""The recent events of one watched cluster, read once from the database for all its followers."""

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import takewhile
from typing import Any, Final, Protocol

import anyio

from pyk8s.wire.frames import Bookmark
from server.errors import Unavailable
from server.fanout.frames import events_frame, ready
from server.store.runs import RUN_CHARS, RUN_EVENTS, Run, join
from server.telemetry import get_logger

RING_CHARS: Final = 2 * 1024 * 1024
FRAMES: Final = 16
"""So many frames are kept; followers at the same place share one."""
RETRY_SECONDS: Final = 0.5
"""Between two tries while PostgreSQL is away."""


Work = Callable[[], Coroutine[Any, Any, None]]
Read = Callable[[int], Awaitable[Sequence[Run]]]
"""Gives some of the events after a number."""

log = get_logger(__name__)


class Listener(Protocol):
    """A follower that has everything that the feed has, and waits for more without a task."""

    def take(self, run: Run, frame: bytes) -> bool:
        """Take the next events at once. False: not now."""

    def is_well(self, feed: "ClusterFeed") -> bool:
        """Look, and say where it is. False: it has to do more than that."""

    def go_on(self) -> None:
        """Follow by yourself from where you are: the feed tells you nothing more."""


class ClusterFeed:
    """A ring of the newest events; what is older comes from the database.

    A hint has it read on, once, and only what has been read wakes those who follow. Who has all
    that there is can attach as a listener: it costs no task, and is told without being woken.
    """

    def __init__(self, topic: str, read: Read, start: Callable[[Work], None]) -> None:
        self._topic = topic
        self._read = read
        self._start = start
        self._ring: deque[Run] = deque()
        self._ring_chars = 0
        self._floor: int | None = None  # the ring holds every event above it, up to head
        self.head = 0
        """The last number that the ring holds."""
        self._hinted = 0
        self._is_reading = False
        self.is_cut_off = False
        """Whether there is more and the last try to read it failed: PostgreSQL is away."""
        self._woken = anyio.Event()
        self._frames: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._nexts: dict[int, Run] = {}
        self._bookmark = (-1, b"")
        self._listeners: dict[Listener, None] = {}  # a set that keeps its order

    def begin(self, seq: int) -> None:
        """There are events up to `seq`; the first follower says so. The ring begins there."""
        if self._floor is None:
            self._floor = self.head = self._hinted = seq
        else:
            self.hint(seq)

    def hint(self, seq: int) -> None:
        """There are events up to `seq`."""
        if self._floor is None or seq <= self._hinted:
            return
        self._hinted = seq
        if not self._is_reading:
            self._is_reading = True
            self._start(self._read_on)

    def wake(self) -> None:
        """Have all followers and listeners look, and say where they are."""
        self._wake_followers()
        for listener in tuple(self._listeners):
            if not listener.is_well(self):
                self._send_off(listener)

    def _wake_followers(self) -> None:
        self._woken.set()
        self._woken = anyio.Event()

    def attach(self, listener: "Listener", cursor: int) -> bool:
        """Tell a listener of everything from now on. False: there is more already than it has."""
        if cursor != self.head or self.is_behind:
            return False
        self._listeners[listener] = None
        return True

    def detach(self, listener: "Listener") -> None:
        """Tell it nothing more."""
        self._listeners.pop(listener, None)

    def next_wake(self) -> anyio.Event:
        """Give what is set when there is something. Take it before looking, wait on it after."""
        return self._woken

    @property
    def is_behind(self) -> bool:
        """Whether there is more than was read. Who waits is woken when it is, or cannot be."""
        return self._hinted > self.head

    def lags(self, cursor: int) -> bool:
        """Tell whether a follower at `cursor` is behind what the ring still holds."""
        return self._floor is not None and cursor < self._floor

    async def after(self, cursor: int) -> Sequence[Run]:
        """Give the next events after `cursor`; none when there are none in the ring.

        Raises:
            Unavailable: they are older, and PostgreSQL does not answer.
        """
        if self.lags(cursor):
            return await self._read(cursor)
        if cursor >= self.head:
            return ()
        return (self._from_ring(cursor),)

    def frame(self, run: Run) -> bytes:
        """Write the frame of these events; followers at the same place share it."""
        place = (run.first, run.last)
        frame = self._frames.get(place)
        if frame is None:
            frame = self._frames[place] = events_frame(self._topic, run.text)
            if len(self._frames) > FRAMES:
                self._frames.popitem(last=False)
        return frame

    def bookmark(self) -> bytes:
        """Write the frame that says that there is nothing after `head`; it is shared as well."""
        if self._bookmark[0] != self.head:
            self._bookmark = (self.head, ready(Bookmark(topic=self._topic, seq=self.head)))
        return self._bookmark[1]

    def _from_ring(self, cursor: int) -> Run:
        """Give what a frame can hold. Who is at the same place gets the same."""
        run = self._nexts.get(cursor)
        if run is None:
            if len(self._nexts) == FRAMES:
                self._nexts.clear()
            run = self._nexts[cursor] = self._joined(cursor)
        return run

    def _joined(self, cursor: int) -> Run:
        """Make one of small runs: who is behind catches up with few."""
        ahead = list(takewhile(lambda run: run.last > cursor, reversed(self._ring)))
        taken: list[Run] = []
        count = chars = 0
        for run in reversed(ahead):
            next_run = run.after(cursor)
            count += next_run.last - next_run.first + 1
            chars += len(next_run.text)
            if taken and (count > RUN_EVENTS or chars > RUN_CHARS):
                break
            taken.append(next_run)
        return join(taken)

    async def _read_on(self) -> None:
        try:
            while self._hinted > self.head:
                try:
                    runs = await self._read(self.head)
                except Unavailable:
                    runs = ()
                except Exception:  # a defect in one cluster's log must not end what serves all
                    log.exception("feed_not_read", after=self.head)
                    runs = ()
                had_failed, self.is_cut_off = self.is_cut_off, not runs
                if runs:
                    before = self.head
                    self._extend(runs)
                    self._tell(before)
                    self._wake_followers()
                    continue
                if not had_failed:
                    self.wake()
                await anyio.sleep(RETRY_SECONDS)
        finally:
            self._is_reading = False

    def _tell(self, cursor: int) -> None:
        """Hand listeners, who are at `cursor`, all that came since. Who cannot is sent off."""
        while self._listeners and cursor < self.head:
            run = None if self.lags(cursor) else self._from_ring(cursor)
            if run is None or run.is_end:  # it is for each of them to do what comes then
                for listener in tuple(self._listeners):
                    self._send_off(listener)
                return
            frame = self.frame(run)
            for listener in tuple(self._listeners):
                if not listener.take(run, frame):
                    self._send_off(listener)
            cursor = run.last

    def _send_off(self, listener: "Listener") -> None:
        self.detach(listener)
        listener.go_on()

    def _extend(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._ring.append(run)
            self._ring_chars += len(run.text)
            self.head = run.last
        self._nexts.clear()
        while self._ring_chars > RING_CHARS and len(self._ring) > 1:
            dropped = self._ring.popleft()
            self._ring_chars -= len(dropped.text)
            self._floor = dropped.last
