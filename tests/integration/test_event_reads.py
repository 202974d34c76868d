"""Reading the log: whatever was written and packed how, a reader anywhere gets what comes next."""

import random
from collections.abc import Callable
from itertools import pairwise
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from pyk8s.wire.accounts import User
from pyk8s.wire.base import rfc3339
from pyk8s.wire.cluster import Phase
from pyk8s.wire.facts import LogLine, Note, PhaseChanged
from server.store import event_log, event_reads, log_chunks
from server.store.database import Database
from server.store.event_log import Draft
from server.store.log_chunks import Lines
from server.store.runs import RUN_CHARS, RUN_EVENTS, SEPARATOR, Run, is_whole
from tests.factories import BEGIN, add_cluster, log_lines


def some_drafts(rng: random.Random) -> list[Draft | Lines]:
    """Make a batch: facts, single lines, many lines at once, long lines, strange characters."""
    makers: list[Callable[[], Draft | Lines]] = [
        lambda: Draft(Note(text="by the way")),
        lambda: Draft(
            LogLine(stream="lab", text='„"\\\u2713 \x07,\n' + "x" * rng.choice([1, 900]))
        ),
        lambda: Lines(
            [
                log_chunks.encode(rfc3339(BEGIN), "stderr", "y" * rng.choice([9, 9000]), cont=False)
                for _ in range(rng.choice([1, 5, 300]))
            ]
        ),
    ]
    weights = rng.choice([(1, 1, 1), (5, 1, 0), (0, 1, 5), (0, 1, 0)])
    return rng.choices([make() for make in makers], weights, k=rng.choice([1, 1, 1, 4]))


async def fill(database: Database, owner: User, rng: random.Random) -> tuple[Run, list[int]]:
    """Write a log in some way. Gives it as one piece, and where batches ended."""
    cluster = await add_cluster(database, owner, name=f"demo-{rng.random():.9f}"[:20])
    ends = [1]
    for _ in range(40):
        async with database.transaction() as session:
            ends.append(await event_log.append(session, cluster.id, some_drafts(rng)))
            if rng.random() < 0.1:
                await log_chunks.pack(session, cluster.id)
    async with database.reading() as session:
        query = text("SELECT seq, type, data FROM event_log WHERE cluster_id = :id ORDER BY seq")
        rows = (await session.execute(query, {"id": cluster.id})).all()
        seen = await event_reads.read_stored(session, cluster.id, after=0, limit=10**9)
    assert [(row.seq, row.type) for row in rows] == [(event.seq, event.type) for event in seen]
    assert [row.data for row in rows] == [event.data for event in seen]
    assert [event.seq for event in seen] == list(range(1, ends[-1] + 1))
    whole = Run(1, ends[-1], SEPARATOR.join(event.text for event in seen))
    await check_reads(database, cluster.id, whole, rng)
    return whole, ends


async def check_reads(database: Database, cluster_id: UUID, whole: Run, rng: random.Random) -> None:
    """Read from many places, in all ways, and compare with the whole."""
    events = whole.events
    async with database.reading() as session:
        for after in {
            0,
            whole.last - 1,
            whole.last,
            *(rng.randrange(whole.last) for _ in range(9)),
        }:
            runs: list[Run] = []
            cursor = after
            while found := await event_reads.read_runs(session, cluster_id, after=cursor):
                runs += found
                cursor = runs[-1].last
            assert SEPARATOR.join(run.text for run in runs) == whole.after(after).text
            assert all(is_whole(run.first, run.last, len(run.events)) for run in runs)
            assert all(a.last + 1 == b.first for a, b in pairwise(runs))
            for run in runs:
                assert len(run.events) <= RUN_EVENTS
                assert len(run.text) < RUN_CHARS + 20_000
            limit = rng.choice([1, 7, 300, 10**6])
            page = await event_reads.read_page(session, cluster_id, after=after, limit=limit)
            assert [e for run in page for e in run.events] == events[after : after + limit]
            assert [run.count for run in page] == [len(run.events) for run in page]
            assert [run.last for run in page] == [run.events[-1].seq for run in page]
            for types in (["log_line"], ["note", "created"], ["note", "log_line"]):
                limit = rng.choice([1, 7, 10**6])
                chosen = await event_reads.read_stored(
                    session,
                    cluster_id,
                    after=after,
                    limit=limit,
                    types=types,
                )
                wanted = [event for event in events if event.seq > after and event.type in types]
                assert chosen == wanted[:limit]
            facts = await event_reads.read_stored(
                session,
                cluster_id,
                after=after,
                limit=10**6,
                facts_only=True,
            )
            assert facts == [e for e in events if e.seq > after and e.type != "log_line"]


@pytest.mark.parametrize("seed", range(6))
async def test_a_reader_gets_what_comes_next(database: Database, owner: User, seed: int) -> None:
    await fill(database, owner, random.Random(seed))


async def test_lines_that_came_one_by_one_are_packed(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    for number in range(300):
        drafts = [*log_lines(1, first=number), Draft(Note(text="between"))]
        async with database.transaction() as session:
            await event_log.append(session, cluster.id, drafts)
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))
        await log_chunks.pack(session, cluster.id)
        chunks = (await session.execute(text("SELECT lines FROM log_chunks"))).scalars().all()
        events = await event_reads.read(session, cluster.id, after=0, limit=1000)
    assert sum(chunks) == 300
    assert len(chunks) < 5
    assert [event.seq for event in events] == list(range(1, 602))


async def test_where_lines_were_given_up_an_event_stands_for_them(
    database: Database, owner: User
) -> None:
    cluster = await add_cluster(database, owner)
    end = [
        Draft(PhaseChanged(from_=Phase.PENDING, to=Phase.DELETING, reason="Test")),
        *log_lines(5),
        Draft(PhaseChanged(from_=Phase.DELETING, to=Phase.DELETED, reason="Test")),
    ]
    for drafts in (log_lines(10), end):
        async with database.transaction() as session:
            await event_log.append(session, cluster.id, drafts)
    async with database.transaction() as session:
        await session.execute(text("DELETE FROM log_chunks"))
    with pytest.raises(event_reads.LogBroken):
        async with database.reading() as session:
            await event_reads.read_runs(session, cluster.id, after=0)
    async with database.transaction() as session:
        await session.execute(text("UPDATE clusters SET log_removed_at = now()"))
    async with database.reading() as session:
        runs = await event_reads.read_runs(session, cluster.id, after=0)
        stored = await event_reads.read_stored(session, cluster.id, after=4, limit=100)
    told = [(e.seq, e.type) for run in runs for e in run.events]
    assert told == [
        (1, "created"),
        (11, "log_expired"),
        (12, "phase_changed"),
        (17, "log_expired"),
        (18, "phase_changed"),
    ]
    assert runs[-1].is_end
    assert (stored[0].seq, stored[0].data) == (11, {"from": 5, "to": 11})
    assert orjson.loads(runs[1].text)["data"] == {"from": 2, "to": 11}
