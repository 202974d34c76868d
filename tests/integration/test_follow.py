"""Following: replay, live, lagging and the end, with hints and without."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from uuid import UUID

import pytest

from pyk8s.wire.accounts import User
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.facts import PhaseChanged
from server.errors import Unavailable
from server.fanout import feed as feed_module
from server.fanout.follow import (
    Batch,
    CaughtUp,
    Ended,
    FellBehind,
    Followed,
    Snapshots,
    follow_cluster,
    follow_owner,
)
from server.fanout.hub import Hub
from server.store import event_log
from server.store.database import Database
from server.store.event_log import Draft
from server.store.hints import HintListener, Receivers
from server.store.runs import Run
from tests.factories import add_cluster, log_lines

Following = AsyncGenerator[Followed, None]


@asynccontextmanager
async def listening(database: Database) -> AsyncIterator[Hub]:
    hub = Hub(database)
    ready = asyncio.Event()

    def on_may_have_missed() -> None:
        ready.set()
        hub.on_may_have_missed()

    receivers = Receivers(hub.on_event, hub.on_job, lambda _: None, on_may_have_missed)
    async with running(hub):
        task = asyncio.create_task(HintListener(database.url, receivers).run())
        async with asyncio.timeout(10):
            await ready.wait()
        try:
            yield hub
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def running(hub: Hub, *, every_seconds: float = 10) -> AsyncIterator[None]:
    task = asyncio.create_task(hub.run(every_seconds=every_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def append(database: Database, cluster: Cluster, drafts: list[Draft]) -> None:
    async with database.transaction() as session:
        await event_log.append(session, cluster.id, drafts)


async def end(database: Database, cluster: Cluster) -> None:
    for source, target in ((Phase.PENDING, Phase.DELETING), (Phase.DELETING, Phase.DELETED)):
        moved = PhaseChanged(from_=source, to=target, reason="Test")
        await append(database, cluster, [Draft(moved)])


async def collect(hub: Hub, database: Database, cluster: Cluster, after: int = 0) -> list[int]:
    seqs: list[int] = []
    async with aclosing(follow_cluster(hub, database, cluster.id, after=after)) as items:
        async for item in items:
            if isinstance(item, Batch):
                seqs += [event.seq for event in item.run.events]
            if isinstance(item, Ended):
                assert item.seq == (seqs[-1] if seqs else after)
                return seqs
    raise AssertionError("the stream ended without an end")


async def test_many_followers_see_everything_once(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    async with listening(database) as hub, asyncio.timeout(60):
        followers = [asyncio.create_task(collect(hub, database, cluster)) for _ in range(10)]
        for number in range(30):
            await append(database, cluster, log_lines(50, first=number * 50))
        late = asyncio.create_task(collect(hub, database, cluster, after=700))
        await end(database, cluster)
        for seqs in await asyncio.gather(*followers):
            assert seqs == list(range(1, 1504))
        assert await late == list(range(701, 1504))
        assert not hub._feeds


async def test_a_live_line_comes_by_hint(database: Database, owner: User) -> None:
    """Far below the time after which everybody looks by themselves."""
    cluster = await add_cluster(database, owner)
    async with listening(database) as hub:
        following = follow_cluster(hub, database, cluster.id, after=0)
        async with aclosing(following):
            assert isinstance(await anext(following), Batch)
            assert isinstance(await anext(following), CaughtUp)
            await append(database, cluster, log_lines(1))
            async with asyncio.timeout(5):
                item = await anext(following)
            assert isinstance(item, Batch)
            assert [event.seq for event in item.run.events] == [2]


async def test_without_hints_the_hub_looks_by_itself(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    hub = Hub(database)  # nobody tells it anything
    async with running(hub, every_seconds=0.05):
        following = asyncio.create_task(collect(hub, database, cluster))
        await append(database, cluster, log_lines(10))
        await end(database, cluster)
        async with asyncio.timeout(20):
            assert await following == list(range(1, 14))


async def test_who_lags_is_told_and_loses_nothing(
    database: Database, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "RING_CHARS", 500)
    cluster = await add_cluster(database, owner)
    async with listening(database) as hub, asyncio.timeout(30):
        slow = follow_cluster(hub, database, cluster.id, after=0)
        async with aclosing(slow):
            assert isinstance(await anext(slow), Batch)
            assert isinstance(await anext(slow), CaughtUp)
            quick = asyncio.create_task(collect(hub, database, cluster))
            for number in range(20):
                await append(database, cluster, log_lines(10, first=number * 10))
            await end(database, cluster)
            assert await quick == list(range(1, 204))
            told = await anext(slow)
            assert isinstance(told, FellBehind)
            assert told.first == 2
            seqs = [1]
            async for item in slow:
                if isinstance(item, Batch):
                    seqs += [event.seq for event in item.run.events]
                if isinstance(item, Ended):
                    break
            assert seqs == list(range(1, 204))


class Gate(Hub):
    """Reads only as long as the gate is open, and not at all while it is cut off."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.is_open = asyncio.Event()
        self.is_asked = asyncio.Event()
        self.is_cut_off = False

    async def _read(self, cluster_id: UUID, after: int) -> Sequence[Run]:
        self.is_asked.set()
        await self.is_open.wait()
        if self.is_cut_off:
            raise Unavailable("cut off")
        return await super()._read(cluster_id, after)


@asynccontextmanager
async def caught_up(hub: Hub, database: Database, cluster: Cluster) -> AsyncIterator[Following]:
    following = follow_cluster(hub, database, cluster.id, after=1)
    async with aclosing(following), running(hub, every_seconds=0.05), asyncio.timeout(20):
        assert await anext(following) == CaughtUp(1)
        yield following


async def test_who_waits_for_a_read_is_not_told_to_lag(database: Database, owner: User) -> None:
    """The time of a bookmark may come while the next events are being read."""
    cluster = await add_cluster(database, owner)
    gate = Gate(database)
    async with caught_up(gate, database, cluster) as following:
        await append(database, cluster, log_lines(1))
        next_item = asyncio.create_task(anext(following))
        await gate.is_asked.wait()
        for _ in range(5):
            gate._feeds[cluster.id][0].wake()
            await asyncio.sleep(0)
        gate.is_open.set()
        assert isinstance(await next_item, Batch)


async def test_who_cannot_be_served_is_told_at_once(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    gate = Gate(database)
    gate.is_open.set()
    gate.is_cut_off = True
    async with caught_up(gate, database, cluster) as following:
        await append(database, cluster, log_lines(1))
        assert await anext(following) == FellBehind(2, 2)
        gate.is_cut_off = False
        assert isinstance(await anext(following), Batch)
        assert await anext(following) == CaughtUp(2)


async def test_after_the_end_there_is_only_the_end(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    await end(database, cluster)
    assert await collect(Hub(database), database, cluster, after=3) == []


async def test_the_owner_hears_of_all_their_clusters(database: Database, owner: User) -> None:
    first = await add_cluster(database, owner, name="first")
    async with listening(database) as hub, asyncio.timeout(20):
        following = follow_owner(hub, database, owner.id)
        async with aclosing(following):
            snapshots = await anext(following)
            assert isinstance(snapshots, Snapshots)
            assert [cluster.name for cluster in snapshots.clusters] == ["first"]
            second = await add_cluster(database, owner, name="second")
            await append(database, first, log_lines(5))
            await end(database, second)
            heard: list[tuple[str, int, str]] = []
            while not any(event_type == "end" for *_, event_type in heard):
                item = await anext(following)
                assert isinstance(item, Batch)
                heard += [
                    (
                        "second" if str(second.id).encode() in item.frame else "first",
                        event.seq,
                        "end" if event.data.get("to") == "deleted" else event.type,
                    )
                    for event in item.run.events
                ]
    assert heard == [("second", 1, "created"), ("second", 2, "phase_changed"), ("second", 3, "end")]
