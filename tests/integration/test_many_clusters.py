"""What the server asks all the time takes no longer when there were thousands of clusters."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from pyk8s.wire.accounts import User
from server.store import (
    census,
    claims,
    clusters,
    forecasts,
    jobs,
    line,
    log_chunks,
    needs,
    pool,
    sweep,
    use,
)
from server.store.database import Database, WriteSession
from server.store.pool import Wanted
from server.store.tables import POOL
from tests.factories import add_cluster, add_user, announce_host

GONE: Final = 20_000
LIVING: Final = 12
LOOKED_AT: Final = 300
"""Rows that one question may look at: a history of 50 for each template, and what lives."""

FILL: Final = """
INSERT INTO clusters (id, owner_id, name, template, kubernetes_version, control_planes, workers,
  labels, driver, phase, conditions, from_pool, ttl_seconds, created_at, ready_at, expires_at,
  deleted_at, last_seq)
SELECT uuidv7(), CASE WHEN n % 2 = 0 THEN CAST(:pool AS uuid) ELSE :owner END, 'gone-' || n,
  'default', 'v1.36.4', 1, 0, '{}', 'simulated', 'deleted', '[]', n % 3 = 0, 3600,
  now() - n * interval '5 minutes' - interval '40 days',
  now() - n * interval '5 minutes' - interval '40 days' + interval '20 seconds',
  now() - n * interval '5 minutes' - interval '39 days',
  now() - n * interval '5 minutes' - interval '39 days', 2
FROM generate_series(1, :count) AS n;
INSERT INTO attempts (id, cluster_id, number, host_id, driver, outcome, started_at, finished_at,
  removed_at, memory_bytes, build_cpu_seconds, standing_cores)
SELECT uuidv7(), id, 1, :host, driver, 'succeeded', created_at, ready_at, deleted_at, 5e8, 20, 0.1
FROM clusters WHERE deleted_at IS NOT NULL;
INSERT INTO jobs (id, cluster_id, kind, state, host_id, fence, tries, created_at, finished_at)
SELECT uuidv7(), id, kind, 'done', :host, 1, 1, created_at, ready_at
FROM clusters, unnest(ARRAY['create', 'delete']) AS kind WHERE deleted_at IS NOT NULL;
INSERT INTO events (cluster_id, seq, type, version, at, data)
SELECT id, 1, 'step_started', 1, created_at, '{"step": "nodes", "index": 0, "total": 1}'
FROM clusters WHERE deleted_at IS NOT NULL;
INSERT INTO events (cluster_id, seq, type, version, at, data)
SELECT id, 2, 'step_finished', 1, ready_at,
  '{"step": "nodes", "outcome": "succeeded", "duration_seconds": 9}'
FROM clusters WHERE deleted_at IS NOT NULL;
INSERT INTO cluster_use (cluster_id, used_at)
SELECT id, deleted_at FROM clusters WHERE deleted_at IS NOT NULL;
UPDATE clusters SET failure = '{}', created_at = now()
WHERE id = (SELECT id FROM clusters WHERE owner_id = :pool LIMIT 1)
"""
READ: Final = text(
    "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
)


@pytest.fixture
async def owner(database: Database) -> User:
    return await add_user(database)


@pytest.fixture
async def host(database: Database, owner: User) -> UUID:
    """A host that has had thousands of clusters, and has some now."""
    host_id = await announce_host(database)
    async with database.transaction() as session:
        values = {"pool": POOL, "owner": owner.id, "host": host_id, "count": GONE}
        for statement in FILL.split(";\n"):
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            await session.execute(text(statement), used)
    for number in range(LIVING):
        cluster = await add_cluster(database, owner, name=f"living-{number}")
        async with database.transaction() as session:
            await jobs.enqueue(session, cluster.id, "create", job_id=uuid4())
    async with database.transaction() as session:
        await session.execute(text("ANALYZE"))
    return host_id


Question = Callable[[WriteSession, UUID, UUID], Awaitable[object]]


async def claim(session: WriteSession, host: UUID) -> object:
    return await claims.claim(session, host_id=host, worker="w", lease_seconds=60)


async def load(session: WriteSession, host: UUID) -> object:
    return await needs.load(session, host, {})


WANTED: Final = Wanted("default", "v1.36.4", 1, 0, "simulated")
QUESTIONS: Final[dict[str, Question]] = {
    "how long a create takes": lambda session, *_: forecasts.expected(session),
    "what a node takes": lambda session, *_: needs.learned(session),
    "what a host carries": lambda session, host, _: load(session, host),
    "how many live": lambda session, *_: clusters.count_living(session),
    "how many somebody has": lambda session, _, owner: clusters.count_living(session, owner),
    "what somebody has": lambda session, _, owner: clusters.list_of(session, owner),
    "whose time is over": lambda session, *_: clusters.expired(session, 50),
    "whether any will be": lambda session, *_: clusters.has_ends_within(session, 600),
    "whom to warn": lambda session, *_: clusters.claim_lease_warning(session, seconds=600),
    "what is to be done": lambda session, host, _: claim(session, host),
    "who waits": lambda session, host, _: line.waiting(session, host),
    "what stands on a host": lambda session, host, _: sweep.standings(session, host),
    "what went lately": lambda session, host, _: sweep.removed_lately(session, host),
    "what nobody works at": lambda session, *_: sweep.without_work(session),
    "what is prebuilt": lambda session, *_: pool.members(session),
    "what may be taken": lambda session, *_: pool.take(session, WANTED),
    "how the pool fares": lambda session, *_: pool.failures_since_success(session, "default"),
    "whether people wait": lambda session, *_: pool.people_wait(session),
    "what rests": lambda session, *_: use.left_alone(session, for_seconds=60, limit=9),
    "what rests for long": lambda session, *_: use.asleep(session, for_seconds=60, limit=9),
    "whose log is too old": lambda session, *_: log_chunks.give_up(
        session, older_than=timedelta(days=30), limit=20
    ),
    "how much there is of all": lambda session, *_: census.take(session),
    "what a worker left": lambda session, *_: jobs.let_go_of_all(session, worker="w"),
}


async def rows_read(session: WriteSession) -> int:
    """Tell how many rows this connection has read, in tables and by way of indexes."""
    return int(await session.scalar(READ) or 0)


async def test_no_question_looks_at_all_that_ever_was(
    database: Database, host: UUID, owner: User
) -> None:
    looked_at = {}
    for what, ask in QUESTIONS.items():
        async with database.transaction() as session:
            # A table of this size is read whole where that is a little cheaper.
            await session.execute(text("SET LOCAL random_page_cost = 1.1"))
            before = await rows_read(session)
            await ask(session, host, owner.id)
            looked_at[what] = await rows_read(session) - before
    too_many = {what: rows for what, rows in looked_at.items() if rows > LOOKED_AT}
    assert too_many == {}
