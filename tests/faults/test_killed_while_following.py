"""The server is killed with -9 while very many follow: all come back, and nothing is lost.

Meanwhile the clusters go on, as they do where provisioners live on: events are written all the
time, also while there is no server. Programs follow through the SDK, people by `pyk8s`.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from pyk8s.client.backoff import Backoff
from pyk8s.client.config import Endpoint
from pyk8s.client.frames import Reader
from pyk8s.client.stream import Connected, StreamState, follow
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.facts import LogLine, PhaseChanged
from server.store import clusters, event_log
from server.store.database import Database
from server.store.event_log import Draft
from tests.factories import add_cluster, announce_host
from tests.faults.ledger import Ledger, content_of, digest_of, part_of
from tests.faults.simulated_site import SOCKETS_PER_PERSON, Person, people, simulated
from tests.faults.site import Site, eventually

RESUMED_SECONDS: Final = 60.0
"""Promised are 20 s."""
POOL: Final = 10
ABREAST: Final = 50
"""So many connect for the first time at once. How they come back is up to them."""


@dataclass(frozen=True, slots=True)
class Size:
    followers: int
    writes_per_second: float
    """For each cluster."""
    down_seconds: float
    longest_pause_seconds: float
    """Between two tries of a program, at most."""


USUAL: Final = Size(30, 20, 0.3, 1.0)
FULL: Final = Size(500, 5, 5, Backoff().cap_seconds)
STORM: Final = Size(2000, 1, 5, Backoff().cap_seconds)


@dataclass
class Told:
    """A cluster and what was written of it."""

    cluster: Cluster
    owner: Person
    texts: list[str] = field(default_factory=list)

    async def go_on(
        self, database: Database, turns: asyncio.Semaphore, done: asyncio.Event, rate: float
    ) -> None:
        rng = random.Random(self.cluster.id.int)
        while not done.is_set():
            lines = [f"line {len(self.texts) + n}" for n in range(rng.choice((1, 1, 2, 5)))]
            drafts = [Draft(LogLine(stream="stderr", text=text)) for text in lines]
            async with turns, database.transaction() as session:
                await event_log.append(session, self.cluster.id, drafts)
            self.texts += lines
            await asyncio.sleep(rng.random() * 2 * len(lines) / rate)

    @property
    def digest(self) -> str:
        return digest_of(content_of("log_line", text) for text in self.texts)


@dataclass
class Follower:
    """A program with the SDK."""

    told: Told
    url: str
    backoff: Backoff
    ledger: Ledger = field(default_factory=lambda: Ledger(after=1))  # 1 tells of the cluster
    connected: list[float] = field(default_factory=list)
    """When it was live again, each time."""

    async def follow(self) -> None:
        reader = Reader(f"cluster:{self.told.cluster.id}", after=1, epoch=None)
        endpoint = Endpoint(self.url, self.told.owner.token)
        stream = follow(endpoint, reader, backoff=self.backoff, on_state=self._on_state)
        async with aclosing(stream):
            async for item in stream:
                if item.document["type"] == "log_line":
                    self.ledger.take(part_of([item.document]))

    def _on_state(self, state: StreamState) -> None:
        if isinstance(state, Connected):
            self.connected.append(time.monotonic())


class CommandLine:
    """`pyk8s` as somebody runs it, following a cluster until it ends."""

    def __init__(self, path: Path, told: Told, url: str, *words: str) -> None:
        self._argv = [sys.executable, "-m", "pyk8s", *words, told.cluster.name]
        self._env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "XDG_CONFIG_HOME": str(path),
            "PYK8S_URL": url,
            "PYK8S_TOKEN": told.owner.token,
        }
        self.lines: list[str] = []
        self.chatter = ""

    async def run(self) -> None:
        """Run until it ends by itself, and well."""
        process = await asyncio.create_subprocess_exec(
            *self._argv, env=self._env, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            chatter = asyncio.create_task(process.stderr.read())
            async for line in process.stdout:
                self.lines.append(line.decode().removesuffix("\n"))
            self.chatter = (await chatter).decode()
            assert await process.wait() == 0, self.chatter
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def kill_and_start(site: Site, down_seconds: float) -> float:
    """End the server with -9, and start it again after a while; give when it was ready."""
    await site.server.kill()
    await asyncio.sleep(down_seconds)
    await site.server.start()
    return time.monotonic()


async def end(database: Database, told: Sequence[Told]) -> None:
    """Say that the clusters are deleted: that ends every stream."""
    moves = ((Phase.PENDING, Phase.DELETING), (Phase.DELETING, Phase.DELETED))
    for each in told:
        drafts = [
            Draft(PhaseChanged(from_=before, to=after, reason="Test")) for before, after in moves
        ]
        async with database.transaction() as session:
            await event_log.append(session, each.cluster.id, drafts)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(USUAL, id="usual"),
        pytest.param(FULL, id="full", marks=[pytest.mark.long, pytest.mark.timeout(300)]),
        pytest.param(STORM, id="storm", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
async def test_all_come_back_and_miss_nothing(
    database_url: str, size: Size, record_property: Any
) -> None:
    database = Database(database_url, pool_size=POOL + 1)
    turns = asyncio.Semaphore(POOL)
    async with simulated(database_url, PYK8S_ROLES="api") as site:
        # Nobody works here: what is written of a cluster is what the test writes.
        await announce_host(database)
        await site.server.start()
        owners = await people(database, -(-size.followers // (SOCKETS_PER_PERSON - 2)))
        told = [Told(await add_cluster(database, each.user), each) for each in owners]
        backoff = Backoff(cap_seconds=size.longest_pause_seconds)
        followers = [
            Follower(told[number % len(told)], site.server.url, backoff)
            for number in range(size.followers)
        ]
        done = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            writing = [
                tasks.create_task(each.go_on(database, turns, done, size.writes_per_second))
                for each in told
            ]
            following = await all_following(tasks, followers)
            events, logs = (
                CommandLine(site.path, told[0], site.server.url, *words)
                for words in (["events", "-f", "-o", "jsonl"], ["logs", "-f"])
            )
            following += [tasks.create_task(each.run()) for each in (events, logs)]
            await eventually(lambda: have_printed(events, logs))
            back = await kill_and_start(site, size.down_seconds)
            await eventually(lambda: all_are_back(followers), RESUMED_SECONDS + 60)
            done.set()
            await asyncio.gather(*writing)
            await end(database, told)
            await asyncio.gather(*following)
        log = site.log()
        last = await last_seq(database, told[0].cluster.id)
    await database.close()

    assert [fault for each in followers for fault in each.ledger.faults] == []
    assert all(each.ledger.digest == each.told.digest for each in followers)
    took = sorted(max(0.0, each.connected[-1] - back) for each in followers)
    peak = Counter(int(each.connected[-1]) for each in followers).most_common(1)[0][1]
    record_property("events", sum(each.ledger.events for each in followers))
    record_property("resumed_p50", round(took[len(took) // 2], 2))
    record_property("resumed_p99", round(took[int(len(took) * 0.99)], 2))
    record_property("resumed_last", round(took[-1], 2))
    record_property("resumed_in_the_busiest_second", peak)
    assert took[-1] < RESUMED_SECONDS
    assert '"level": "error"' not in log

    assert [json.loads(line)["seq"] for line in events.lines] == list(range(1, last + 1))
    assert logs.lines == told[0].texts
    for each in (events, logs):
        assert "Nothing is lost" in each.chatter


async def have_printed(*programs: CommandLine) -> bool:
    return all(each.lines for each in programs)


async def last_seq(database: Database, cluster_id: UUID) -> int:
    async with database.reading() as session:
        found = await clusters.get_any(session, cluster_id)
    assert found is not None
    return found.last_seq


async def all_following(
    tasks: asyncio.TaskGroup, followers: Sequence[Follower]
) -> list[asyncio.Task[None]]:
    """Start to follow, some at a time, until all have been told something."""
    started: list[asyncio.Task[None]] = []
    for first in range(0, len(followers), ABREAST):
        some = followers[first : first + ABREAST]
        started += [tasks.create_task(each.follow()) for each in some]

        async def are_told(some: Sequence[Follower] = some) -> bool:
            return all(each.ledger.events for each in some)

        await eventually(are_told)
    return started


async def all_are_back(followers: Sequence[Follower]) -> bool:
    return all(each.connected for each in followers)
