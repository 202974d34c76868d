"""Listeners of a feed: told at once, sent off when that does not go, never told twice."""

from collections.abc import Sequence

import pytest

from server.errors import Unavailable
from server.fanout import feed as feed_module
from server.fanout.feed import ClusterFeed, Work
from server.store.runs import Run


def run(first: int, last: int, *, is_end: bool = False) -> Run:
    lines = (f'{{"seq":{seq},"type":"log_line"}}' for seq in range(first, last + 1))
    return Run(first, last, ",\n".join(lines), is_end)


class Log:
    """What the database has."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.is_away = False
        self.reads = 0

    async def read(self, after: int) -> Sequence[Run]:
        self.reads += 1
        if self.is_away:
            raise Unavailable("away")
        return [each.after(after) for each in self.runs if each.last > after]


class Told:
    """A listener that notes everything."""

    def __init__(self, cursor: int = 0) -> None:
        self.cursor = cursor
        self.frames: list[bytes] = []
        self.has_room = True
        self.looks = 0
        self.sent_off = 0

    def take(self, run: Run, frame: bytes) -> bool:
        if not self.has_room:
            return False
        assert run.first <= self.cursor + 1 <= run.last, "a gap, or told before"
        self.cursor = run.last
        self.frames.append(frame)
        return True

    def is_well(self, feed: ClusterFeed) -> bool:
        self.looks += 1
        return not feed.is_cut_off

    def go_on(self) -> None:
        self.sent_off += 1


class Stage:
    """A feed whose reading is done when it is asked for."""

    def __init__(self) -> None:
        self.log = Log()
        self.work: list[Work] = []
        self.feed = ClusterFeed("cluster:x", self.log.read, self.work.append)
        self.feed.begin(0)

    async def commit(self, *runs: Run) -> None:
        self.log.runs += runs
        self.feed.hint(runs[-1].last)
        while self.work:
            await self.work.pop()()


async def test_all_are_handed_the_same_frame_and_it_was_read_once() -> None:
    stage = Stage()
    several = [Told() for _ in range(5)]
    assert all(stage.feed.attach(each, 0) for each in several)
    await stage.commit(run(1, 3), run(4, 4))
    assert stage.log.reads == 1
    assert {each.cursor for each in several} == {4}
    assert len({id(each.frames[0]) for each in several}) == 1
    assert b'"topic":"cluster:x"' in several[0].frames[0]
    await stage.commit(run(5, 9))
    assert [len(each.frames) for each in several] == [2] * 5
    assert not any(each.sent_off or each.looks for each in several)


async def test_who_has_less_or_while_more_is_read_cannot_attach() -> None:
    stage = Stage()
    await stage.commit(run(1, 3))
    assert not stage.feed.attach(Told(), 2)
    assert stage.feed.attach(Told(), 3)
    stage.feed.hint(5)
    assert not stage.feed.attach(Told(), 3)


async def test_who_takes_nothing_now_is_sent_off_once_and_the_others_are_told() -> None:
    stage = Stage()
    slow, quick = Told(), Told()
    for each in (slow, quick):
        stage.feed.attach(each, 0)
    slow.has_room = False
    await stage.commit(run(1, 2))
    slow.has_room = True
    await stage.commit(run(3, 4))
    assert (slow.sent_off, slow.cursor, quick.cursor) == (1, 0, 4)
    assert not stage.feed.attach(slow, 0)
    assert [each.last for each in await stage.feed.after(0)] == [4]
    assert stage.feed.attach(slow, 4)


async def test_the_end_is_left_to_each_follower() -> None:
    stage = Stage()
    listener = Told()
    stage.feed.attach(listener, 0)
    await stage.commit(run(1, 2), run(3, 3, is_end=True))
    assert listener.sent_off == 1
    assert listener.cursor <= 2


async def test_what_does_not_fit_the_ring_is_left_to_each_follower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "RING_CHARS", 10)
    stage = Stage()
    listener = Told()
    stage.feed.attach(listener, 0)
    await stage.commit(run(1, 5), run(6, 10))
    assert (listener.sent_off, listener.cursor) == (1, 0)
    assert stage.feed.lags(0)


async def test_everybody_looks_when_woken_and_who_is_not_well_goes_on_alone() -> None:
    stage = Stage()
    listener, gone = Told(), Told()
    for each in (listener, gone):
        stage.feed.attach(each, 0)
    stage.feed.detach(gone)
    stage.feed.detach(gone)
    stage.feed.wake()
    assert (listener.looks, listener.sent_off, gone.looks) == (1, 0, 0)
    stage.feed.is_cut_off = True
    stage.feed.wake()
    stage.feed.wake()
    assert (listener.looks, listener.sent_off) == (2, 1)
