"""A database with a hundred million events: does what people do still take as long as with few?"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Final
from uuid import UUID

import asyncpg
import httpx

from bench import lines
from bench.copies import multiply
from bench.measure import Figure, Scale, Setting, Target, alternate
from bench.rows.idle_cpu import percent_of_a_core
from bench.site import (
    Account,
    Process,
    Site,
    add_accounts,
    add_clusters,
    ask_for_cluster,
)
from server.store import event_log, log_chunks
from server.store.database import Database

LINES: Final = 960
"""Of each cluster, like kind's. With its facts it comes to about a thousand events."""
LINES_AT_ONCE: Final = 40
OF_EACH: Final = {Scale.FULL: 250, Scale.QUICK: 50, Scale.TINY: 5}
"""Clusters that somebody has had."""
PEOPLE: Final = {Scale.FULL: 400, Scale.QUICK: 100, Scale.TINY: 4}
FEW: Final = {Scale.FULL: 4, Scale.QUICK: 2, Scale.TINY: 2}
"""People of the database that it is compared with."""
ASKED: Final = {Scale.FULL: 60, Scale.QUICK: 20, Scale.TINY: 3}
"""How often each thing is done in a turn."""
BATCH: Final = 2000
PATIENCE_SECONDS: Final = 120.0
BASELINE: Final = "the same where a hundredth of it is stored"


@dataclass(frozen=True, slots=True)
class Place:
    """A database, what is in it, and a server on it."""

    database: Database
    server: Process
    people: Sequence[Account]
    cluster_ids: Sequence[UUID]
    pending: UUID
    """A cluster that nobody builds: lines are added to its log."""
    events: int
    dice: random.Random

    def one(self) -> UUID:
        """Give any of the clusters of the first person."""
        return self.dice.choice(self.cluster_ids)


Doing = Callable[[httpx.AsyncClient, Place], Awaitable[object]]


def asking(path: str) -> Doing:
    """Make a request; `{}` in its path is a cluster of whoever asks."""

    async def ask(http: httpx.AsyncClient, place: Place) -> object:
        answer = await http.get(
            f"{place.server.url}/api/v1/{path.format(place.one())}",
            headers={"Authorization": f"Bearer {place.people[1].token}"},
        )
        return answer.raise_for_status()

    return ask


async def append(_: httpx.AsyncClient, place: Place) -> object:
    """Write lines, as a flood would."""
    async with place.database.transaction() as session:
        return await event_log.append(session, place.pending, lines.drafts(BATCH))


async def give_up(_: httpx.AsyncClient, place: Place) -> object:
    """Remove the oldest log."""
    async with place.database.transaction() as session:
        return await log_chunks.give_up(session, older_than=timedelta(), limit=1)


DOINGS: Final[dict[str, Doing]] = {
    f"append of {BATCH:,} lines": append,
    "first 1,000 events of a cluster": asking("clusters/{}/events?after=0&limit=1000"),
    "its last 10 events": asking(f"clusters/{{}}/events?after={LINES}&limit=1000"),
    "its changes of phase": asking("clusters/{}/events?types=phase_changed"),
    "a cluster": asking("clusters/{}"),
    "50 clusters of one person": asking("clusters?include_deleted=true&limit=50"),
    "templates, with how long each takes": asking("templates"),
    "capacity": asking("capacity"),
    "removal of a log that is too old": give_up,
}


async def measure(setting: Setting) -> list[Figure]:
    """Do everything in both databases in turn."""
    scale = setting.scale
    async with (
        place_of(setting.site, scale, FEW[scale]) as small,
        place_of(setting.site, scale, PEOPLE[scale]) as large,
        httpx.AsyncClient(trust_env=False, timeout=120) as http,
    ):
        note = f"{large.events:,} events of {OF_EACH[scale] * PEOPLE[scale]:,} clusters"
        figures = [await space(large, note)]
        for what, do in DOINGS.items():
            mine, other = await alternate(
                setting.repeat,
                partial(seconds_of, do, http, large, ASKED[scale]),
                partial(seconds_of, do, http, small, ASKED[scale]),
            )
            figures.append(
                Figure(
                    "volume", what, "ms", [1000 * each for each in mine],
                    [1000 * each for each in other], BASELINE, [Target("ratio", "<=", 1.5)],
                )
            )  # fmt: skip
        return [*figures, *await idle(setting, large)]


async def seconds_of(do: Doing, http: httpx.AsyncClient, place: Place, times: int) -> float:
    """Do something so many times; give the median."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await do(http, place)
        took.append(time.perf_counter() - began)
    return median(took)


async def space(place: Place, note: str) -> Figure:
    """Tell how much of the disk an event takes, with all indexes."""
    connection = await asyncpg.connect(place.database.url)
    try:
        size = await connection.fetchval(
            "SELECT pg_total_relation_size('events') + pg_total_relation_size('log_chunks')"
        )
    finally:
        await connection.close(timeout=5)
    return Figure(
        "volume", "an event on disk, with indexes", "bytes", [size / place.events],
        targets=[Target("ours", "<=", 100)], note=note,
    )  # fmt: skip


async def idle(setting: Setting, place: Place) -> list[Figure]:
    """Count what a server with everything switched on costs when nobody is there."""
    own, of_postgres = await percent_of_a_core(setting, place.database)
    percent = "% of a core"
    return [
        Figure("volume", "CPU of an idle server", percent, [own]),
        Figure("volume", "CPU of its PostgreSQL", percent, [of_postgres], targets=[
            Target("ours", "<", 1.0)]),
    ]  # fmt: skip


@asynccontextmanager
async def place_of(site: Site, scale: Scale, people: int) -> AsyncIterator[Place]:
    """Fill a database, and run a server on it that builds nothing."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(site.database())
        owners = await add_accounts(database, people)
        model = await one_that_lived(site, database, owners[0])
        events = await multiply(database.url, model, owners, people * OF_EACH[scale])
        pending = (await add_clusters(database, owners[:1]))[0]
        server = await stack.enter_async_context(site.server(database, PYK8S_ROLES="api"))
        connection = await asyncpg.connect(database.url)
        rows = await connection.fetch(
            "SELECT id FROM clusters WHERE owner_id = $1", owners[1].user.id
        )
        await connection.close(timeout=5)
        ids = [row["id"] for row in rows]
        yield Place(database, server, owners, ids, pending.id, events, random.Random(1))


async def one_that_lived(site: Site, database: Database, owner: Account) -> UUID:
    """Have a cluster made, and deleted."""
    headers = {"Authorization": f"Bearer {owner.token}"}
    async with (
        site.server(database) as server,
        httpx.AsyncClient(trust_env=False, headers=headers) as http,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        cluster_id = await ask_for_cluster(server, owner, "model", "ok")
        url = f"{server.url}/api/v1/clusters/{cluster_id}"
        await reached(http, url, "ready")
        await talk(database, cluster_id)
        (await http.delete(url)).raise_for_status()
        await reached(http, url, "deleted")
    return cluster_id


async def talk(database: Database, cluster_id: UUID) -> None:
    """Write its log, bit by bit, and pack it as it is when an attempt is over."""
    for first in range(0, LINES, LINES_AT_ONCE):
        async with database.transaction() as session:
            await event_log.append(session, cluster_id, lines.drafts(LINES_AT_ONCE, first=first))
    async with database.transaction() as session:
        await log_chunks.pack(session, cluster_id)


async def reached(http: httpx.AsyncClient, url: str, phase: str) -> None:
    """Wait until a cluster has come to a phase."""
    async with http.stream("GET", f"{url}/events", headers={"Accept": "text/event-stream"}) as said:
        async for line in said.aiter_lines():
            if f'"to":"{phase}"' in line.replace(" ", ""):
                return
