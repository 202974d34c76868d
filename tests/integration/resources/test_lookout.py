"""Looking into a cluster, whatever its API server does meanwhile."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from pyk8s.wire.resources import Kind, ResourcesAway
from server.errors import NotReady
from server.resources import sight
from server.resources.kinds import KINDS
from server.resources.lookout import Beat, Change, Everything, Lookout, Seen
from server.resources.pace import Pace
from server.resources.watching import LEAST_COUNTED_BYTES
from tests.integration.resources.fake_kube import (
    EVENTS,
    LISTS,
    PODS,
    FakeKube,
    event,
    fake_kube,
    pod,
)

CLUSTER = UUID(int=7)
PATIENCE_SECONDS = 20.0


@dataclass
class Upstream:
    url: str
    session: aiohttp.ClientSession


@dataclass
class View:
    """What a viewer has been told, folded as the page folds it."""

    seen: AsyncGenerator[Seen]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    more: dict[Kind, int] = field(default_factory=dict)
    away: str | None = None
    snapshots: int = 0

    async def until(self, is_so: Callable[["View"], bool]) -> None:
        """Look until something is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so(self):
                self._fold(await anext(self.seen))

    def _fold(self, seen: Seen) -> None:
        match seen:
            case Everything(entries, more):
                listed = [json.loads(entry.text) for entry in entries]
                self.rows = {row["uid"]: row for row in listed}
                self.more, self.away = more, None
                self.snapshots += 1
            case Change(changed, more):
                assert self.away is None
                for uid, entry in changed.items():
                    if entry is None:
                        self.rows.pop(uid, None)
                    else:
                        self.rows[uid] = json.loads(entry.text)
                self.more = more
            case ResourcesAway(code=code):
                self.away = code
            case Beat():
                pass

    def status(self, name: str) -> str | None:
        row = self.rows.get(f"uid-{name}")
        return None if row is None else str(row["status"])


async def quickly(seconds: float) -> None:
    """Sleep a twentieth: the order of things stays what it is."""
    await asyncio.sleep(seconds / 20)


@dataclass
class Place:
    kube: FakeKube
    lookout: Lookout
    reach: list[Callable[[UUID], Awaitable[Upstream]]]

    def look(self, cluster_id: UUID = CLUSTER) -> View:
        return View(self.lookout.look(cluster_id))


@pytest.fixture
async def kube() -> AsyncIterator[FakeKube]:
    async with fake_kube() as kube:
        yield kube


@pytest.fixture
async def place(kube: FakeKube) -> AsyncIterator[Place]:
    async with aiohttp.ClientSession() as session:

        async def found(_: UUID) -> Upstream:
            return Upstream(kube.url, session)

        reach: list[Callable[[UUID], Awaitable[Upstream]]] = [found]

        async def reach_now(cluster_id: UUID) -> Upstream:
            return await reach[0](cluster_id)

        lookout = Lookout(reach_now, sleep=quickly, linger_seconds=0.2)
        task = asyncio.create_task(lookout.run())
        yield Place(kube, lookout, reach)
        task.cancel()
        await asyncio.wait([task])


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():
            await asyncio.sleep(0.01)


def test_the_stand_in_knows_what_is_looked_at() -> None:
    assert sorted(LISTS) == sorted(what.path for what in KINDS)


async def test_everything_comes_first_and_then_what_changes(place: Place) -> None:
    for number in range(450):  # three pages
        place.kube.put(PODS, pod(f"p{number}"))
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        assert len(view.rows) == 450
        assert place.kube.asked["get", PODS] == 3
        place.kube.put(PODS, pod("p1", "Failed"))
        place.kube.put(PODS, pod("new", "Pending"))
        place.kube.delete(PODS, "uid-p2")
        await view.until(
            lambda v: (
                (v.status("p1"), v.status("new"), v.status("p2")) == ("Failed", "Pending", None)
            )
        )
        assert (len(view.rows), view.snapshots) == (450, 1)


async def test_what_happens_at_once_is_told_at_once_and_what_is_the_same_is_not(
    place: Place,
) -> None:
    place.kube.put(PODS, pod("steady"))
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        for number in range(50):
            place.kube.put(PODS, pod("steady", note=number))  # no row says so
            place.kube.put(PODS, pod("busy", "Pending" if number < 49 else "Running"))
        told = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while view.status("busy") != "Running":
                seen = await anext(view.seen)
                if isinstance(seen, Change):
                    told += 1
                    assert "uid-steady" not in seen.changed
                view._fold(seen)
        assert told < 25


async def test_viewers_share_one_watch_that_ends_after_the_last_one(place: Place) -> None:
    views = [place.look() for _ in range(5)]
    for view in views:
        await view.until(lambda v: v.snapshots == 1)
    assert place.kube.watches == len(KINDS)
    assert place.kube.asked["get", PODS] == 1
    for view in views[1:]:
        await view.seen.aclose()
    again = place.look()  # what is watched is there at once
    await views[0].seen.aclose()
    await again.until(lambda v: v.snapshots == 1)
    assert place.kube.asked["get", PODS] == 1
    await again.seen.aclose()
    await eventually(lambda: place.kube.watches == 0)
    assert place.lookout.watched == frozenset()


async def test_a_watch_that_is_cut_goes_on_where_it_was(place: Place) -> None:
    place.kube.put(PODS, pod("one"))
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        for number in range(3):
            place.kube.cut()
            place.kube.put(PODS, pod(f"while-cut-{number}"))
            await view.until(lambda v: len(v.rows) == 2 + number)  # noqa: B023 -- called in here
        assert place.kube.asked["get", PODS] == 1
        assert (view.snapshots, view.away) == (1, None)


async def test_bookmarks_move_on_what_is_asked_for_after_a_cut(place: Place) -> None:
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        place.kube.bookmark()
        place.kube.forget(quietly=True)  # nobody may go on from before the bookmark any more
        place.kube.cut()
        place.kube.put(PODS, pod("after"))
        await view.until(lambda v: v.status("after") is not None)
        assert place.kube.asked["get", PODS] == 1


async def test_what_is_too_old_is_listed_again(place: Place) -> None:
    for name in ("stays", "goes"):
        place.kube.put(PODS, pod(name))
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        place.kube.forget()  # it is told inside the watch
        place.kube.put(PODS, pod("came"))
        await view.until(lambda v: v.status("came") is not None)
        place.kube.cut()  # and here when the next one begins
        place.kube.delete(PODS, "uid-goes")
        place.kube.forget()
        await view.until(lambda v: v.status("goes") is None)
        assert view.status("stays") == "Running"
        assert (view.snapshots, view.away) == (1, None)
        assert place.kube.asked["get", PODS] == 3


async def test_a_server_that_is_away_is_told_and_comes_back_with_everything(place: Place) -> None:
    place.kube.put(PODS, pod("one"))
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        place.kube.failing = 500
        place.kube.cut()
        await view.until(lambda v: v.away == "cluster_away")
        place.kube.failing = 0
        place.kube.put(PODS, pod("meanwhile"))
        await view.until(lambda v: v.snapshots == 2)
        assert view.status("meanwhile") == "Running"
        assert view.away is None


async def test_a_paused_server_is_found_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "PROBE_PATIENCE_SECONDS", 0.5)
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        place.kube.pause()
        await view.until(lambda v: v.away == "cluster_away")
        place.kube.resume()
        await view.until(lambda v: v.snapshots == 2)


async def test_why_there_is_no_way_is_told(place: Place) -> None:
    ways = list(place.reach)

    async def refuse(_: UUID) -> Upstream:
        raise NotReady("the cluster is paused")

    place.reach[:] = [refuse]
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.away == "not_ready")
        place.reach[:] = ways
        await view.until(lambda v: v.snapshots == 1)


async def test_a_defect_harms_only_this_cluster(place: Place) -> None:
    ways = list(place.reach)
    broken = uuid4()

    async def fail(cluster_id: UUID) -> Upstream:
        if cluster_id == broken:
            raise RuntimeError("a defect")
        return await ways[0](cluster_id)

    place.reach[:] = [fail]
    wrong, right = place.look(broken), place.look()
    async with aclosing(wrong.seen), aclosing(right.seen):
        await wrong.until(lambda v: v.away == "internal")
        await right.until(lambda v: v.snapshots == 1)


async def test_a_kind_that_this_kubernetes_lacks_is_left_out(place: Place) -> None:
    place.kube.missing.add("/apis/batch/v1/cronjobs")
    place.kube.put(PODS, pod("one"))
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        assert view.status("one") == "Running"


@pytest.mark.parametrize(
    "nonsense",
    [b"no json\n", b"[]\n", b'{"type":"ADDED"}\n', b'{"type":"ADDED","object":{"metadata":7}}\n'],
)
async def test_nonsense_does_no_harm(place: Place, nonsense: bytes) -> None:
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        place.kube.send_raw(PODS, nonsense)
        place.kube.put(PODS, pod("after"))
        await view.until(lambda v: v.status("after") is not None)


async def test_what_is_kept_is_bounded_and_the_rest_is_counted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    caps = {what.kind: what.cap for what in KINDS}
    for number in range(caps["Pod"] + 30):
        place.kube.put(PODS, pod(f"p{number:04}"))
    for number in range(caps["Event"] + 20):
        at = f"2026-01-02T{number // 60:02}:{number % 60:02}:00Z"
        place.kube.put(EVENTS, event(f"e{(number * 7) % (caps['Event'] + 20):03}", at))
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        assert view.more == {"Pod": 30, "Event": 20}
        seen = sorted(row["last_seen"] for row in view.rows.values() if row["kind"] == "Event")
        assert len(seen) == caps["Event"]
        assert seen[0].startswith("2026-01-02T00:20")
        place.kube.put(EVENTS, event("newest", "2026-01-03T00:00:00Z"))
        await view.until(lambda v: "uid-newest" in v.rows)
        assert view.more == {"Pod": 30, "Event": 21}
        assert sum(row["kind"] == "Event" for row in view.rows.values()) == caps["Event"]
        # Where there is room again, what was left out moves up.
        monkeypatch.setattr("server.resources.watching.REFILL_SECONDS", 0.0)
        for number in range(30):
            place.kube.delete(PODS, f"uid-p{number:04}")
        await view.until(lambda v: v.more.get("Pod") is None)
        assert sum(row["kind"] == "Pod" for row in view.rows.values()) == caps["Pod"]


async def test_a_viewer_that_does_not_read_is_told_everything_later(place: Place) -> None:
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        (watched,) = place.lookout._sights.values()
        (viewer,) = watched.table.viewers
        for number in range(1999):
            place.kube.put(PODS, pod(f"p{number}"))
        for number in range(1999):
            place.kube.delete(PODS, f"uid-p{number}")
        for number in range(5):
            place.kube.put(EVENTS, event(f"e{number}", "2026-01-02T00:00:00Z"))
        await eventually(lambda: viewer.anew)
        assert not viewer.pending
        await view.until(lambda v: v.snapshots == 2)
        await view.until(lambda v: len(v.rows) == 5)


async def test_what_is_too_large_is_left_out_or_asked_for_in_smaller_pieces(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.resources.watching.MOST_PAGE_BYTES", 10_000)
    monkeypatch.setattr("server.resources.watching.MOST_LINE_BYTES", 10_000)
    for number in range(200):
        place.kube.put(PODS, pod(f"p{number}"))
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        assert len(view.rows) == 200
        place.kube.put(PODS, pod("huge", note="x" * 300_000))
        place.kube.put(PODS, pod("next"))
        await view.until(lambda v: v.status("next") is not None)
        assert view.status("huge") is None
        assert view.away is None


@pytest.mark.parametrize(("limit", "most"), [("MOST_PAGES", 5), ("WHOLE_LIST_SECONDS", 0.2)])
async def test_a_list_without_an_end_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch, limit: str, most: float
) -> None:
    monkeypatch.setattr(f"server.resources.watching.{limit}", most)
    place.kube.is_endless = True
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.away is not None)
        place.kube.is_endless = False
        await view.until(lambda v: v.snapshots == 1)


async def test_a_flood_of_changes_counts_against_the_pace_of_its_cluster(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, take = list[int](), Pace.take

    async def noting(pace: Pace, count: int) -> None:
        counted.append(count)
        await take(pace, count)

    monkeypatch.setattr(Pace, "take", noting)
    view = place.look()
    async with aclosing(view.seen):
        await view.until(lambda v: v.snapshots == 1)
        await eventually(lambda: place.kube.watches == len(LISTS))
        place.kube.send_raw(PODS, b'{"type": "BOOKMARK", "object": {}}\n' * 2_000)
        place.kube.put(PODS, pod("after"))
        await view.until(lambda v: v.status("after") is not None)
        assert sum(counted) >= 2_000 * LEAST_COUNTED_BYTES
