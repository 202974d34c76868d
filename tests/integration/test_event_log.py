"""The event log: contiguous numbers in commit order, and a snapshot that is the fold of them."""

import asyncio
import random

import pytest

from pyk8s.wire.accounts import User
from pyk8s.wire.cluster import Cluster, Phase, Step
from pyk8s.wire.facts import LeaseExtended, PhaseChanged, StepStarted
from pyk8s.wire.reduce import apply_event
from server.errors import NotFound, PhaseConflict
from server.lifecycle import TRANSITIONS
from server.store import clusters, event_log, event_reads
from server.store.database import Database
from server.store.event_log import Draft
from tests.factories import BEGIN, EPOCH, add_cluster, log_lines


def moved(source: Phase, target: Phase) -> Draft:
    return Draft(PhaseChanged(from_=source, to=target, reason="Test"))


async def snapshot(database: Database, cluster: Cluster) -> Cluster:
    async with database.reading() as session:
        found = await clusters.get_any(session, cluster.id)
    assert found is not None
    return found


async def test_numbers_follow_each_other(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    for size in (1, 3, 200):
        async with database.transaction() as session:
            await event_log.append(session, cluster.id, log_lines(size))
    async with database.reading() as session:
        events = await event_reads.read(session, cluster.id, after=0, limit=1000)
    assert [event.seq for event in events] == list(range(1, 206))
    assert events[0].type == "created"
    assert (await snapshot(database, cluster)).last_seq == 205


async def test_a_rolled_back_batch_leaves_no_gap(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            await event_log.append(session, cluster.id, log_lines(5))
            raise ZeroDivisionError
    async with database.transaction() as session:
        assert await event_log.append(session, cluster.id, log_lines(1)) == 2


async def test_readers_never_miss_what_commits_late(database: Database, owner: User) -> None:
    """Writers of random speed; a reader that moves its cursor on must still see every event."""
    cluster = await add_cluster(database, owner)
    rng = random.Random(7)
    delays = [[rng.random() / 100 for _ in range(10)] for _ in range(8)]
    seen: list[int] = []

    async def write(number: int) -> None:
        for delay in delays[number]:
            async with database.transaction() as session:
                await event_log.append(session, cluster.id, log_lines(3))
                await asyncio.sleep(delay)  # the transaction takes a while to commit

    async def read() -> None:
        cursor = 0
        while cursor < 1 + 8 * 10 * 3:
            async with database.reading() as session:
                events = await event_reads.read_stored(session, cluster.id, after=cursor, limit=7)
            seen.extend(event.seq for event in events)
            cursor = seen[-1] if seen else 0

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        for number in range(8):
            tasks.create_task(write(number))
    assert seen == list(range(1, 242))


async def test_the_snapshot_is_the_fold_of_the_events(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    batches = [
        [moved(Phase.PENDING, Phase.PROVISIONING)],
        [Draft(StepStarted(step=Step.NODES, index=2, total=8)), *log_lines(2)],
        [Draft(LeaseExtended(expires_at=BEGIN)), moved(Phase.PROVISIONING, Phase.READY)],
        [moved(Phase.READY, Phase.DELETING)],
        [moved(Phase.DELETING, Phase.DELETED)],
    ]
    for batch in batches:
        async with database.transaction() as session:
            await event_log.append(session, cluster.id, batch)
        async with database.reading() as session:
            events = await event_reads.read(session, cluster.id, after=0, limit=1000)
        folded: Cluster | None = None
        for event in events:
            folded = apply_event(folded, event)
        assert folded == await snapshot(database, cluster)


@pytest.mark.parametrize("source", list(Phase))
async def test_only_moves_of_the_lifecycle_are_stored(
    database: Database, owner: User, source: Phase
) -> None:
    path = {
        Phase.PENDING: [],
        Phase.PROVISIONING: [Phase.PROVISIONING],
        Phase.READY: [Phase.PROVISIONING, Phase.READY],
        Phase.PAUSED: [Phase.PROVISIONING, Phase.READY, Phase.PAUSED],
        Phase.FAILED: [Phase.FAILED],
        Phase.DELETING: [Phase.DELETING],
        Phase.DELETED: [Phase.DELETING, Phase.DELETED],
    }[source]
    cluster = await add_cluster(database, owner)
    at = Phase.PENDING
    for target in path:
        async with database.transaction() as session:
            await event_log.append(session, cluster.id, [moved(at, target)])
        at = target
    for target in set(Phase) - TRANSITIONS[source]:
        with pytest.raises(PhaseConflict):
            async with database.transaction() as session:
                await event_log.append(session, cluster.id, [moved(source, target)])
    assert (await snapshot(database, cluster)).phase is source


async def test_a_move_from_another_phase_is_refused(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    with pytest.raises(PhaseConflict) as refused:
        async with database.transaction() as session:
            await event_log.append(
                session, cluster.id, [moved(Phase.READY, Phase.DELETING)], expect={Phase.READY}
            )
    assert refused.value.actual == Phase.PENDING
    assert refused.value.expected == {Phase.READY}


async def test_nobody_writes_to_what_is_not_there(database: Database) -> None:
    with pytest.raises(NotFound):
        async with database.transaction() as session:
            await event_log.append(session, EPOCH, log_lines(1))
