"""Many writers, many readers that are cut all the time, two servers: nobody misses a word.

The writers are rivals for the rows of the clusters, take their time in a transaction, and roll
some of them back. A reader has one cursor for everything: each time it is cut it goes on by
whichever transport and server chance gives it.
"""

import asyncio
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Final

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pyk8s.wire.cluster import Cluster
from server.store.database import Database
from tests.factories import add_cluster, announce_host
from tests.faults.ledger import Ledger, digest_of
from tests.faults.simulated_site import Person, people, second_server, simulated
from tests.faults.storm_writers import Task, Written, warm_up, write
from tests.faults.transports import TRANSPORTS, Place

CUT_SECONDS: Final = 0.05
"""So much time passes at most between a place in the log and the cut there."""
TURNED_AWAY: Final = frozenset({429, 503})
COME_BACK: Final = frozenset({1012, *range(4000, 4500)})


@dataclass(frozen=True, slots=True)
class Size:
    processes: int
    """Of the writers."""
    writers: int
    clusters: int
    events: int
    """Of each writer for each cluster."""
    readers: int
    cuts: int
    seconds: int

    @property
    def of_cluster(self) -> int:
        return self.writers * self.events


USUAL: Final = Size(processes=1, writers=8, clusters=4, events=60, readers=12, cuts=5, seconds=60)
FULL: Final = Size(
    processes=2, writers=64, clusters=20, events=500, readers=100, cuts=20, seconds=2400
)


@dataclass
class Reader:
    """Reads one cluster to the end, however often it is cut."""

    cluster: Cluster
    owner: Person
    servers: Sequence[str]
    size: Size
    rng: random.Random
    ledger: Ledger = field(default_factory=lambda: Ledger(after=1))  # 1 tells of the cluster
    cuts: int = 0
    broken: int = 0
    """How often it was turned away, or the server hung up."""
    by: dict[str, int] = field(default_factory=dict)

    async def read(self, http: httpx.AsyncClient) -> None:
        end = 1 + self.size.of_cluster
        points = sorted(self.rng.randint(1, end) for _ in range(self.size.cuts))
        while self.cuts < len(points) or self.ledger.last < end:
            cut_at = points[self.cuts] if self.cuts < len(points) else None
            try:
                async with asyncio.timeout(None) as limit:
                    await self._follow(http, limit, cut_at=cut_at, end=end)
            except TimeoutError:
                self.cuts += 1
            except (InvalidStatus, httpx.HTTPStatusError) as error:
                # What was cut is not yet gone everywhere: one may have only so many streams.
                if error.response.status_code not in TURNED_AWAY:
                    raise
                self.broken += 1
                await asyncio.sleep(self.rng.random() * CUT_SECONDS)
            except (ConnectionClosed, httpx.TransportError) as error:
                # A server that waits too long for the database lets go of a reader, too.
                if isinstance(error, ConnectionClosed) and error.rcvd is not None:
                    assert_may_come_back(error.rcvd.code)
                self.broken += 1
                await asyncio.sleep(self.rng.random() * CUT_SECONDS)

    async def _follow(
        self, http: httpx.AsyncClient, limit: asyncio.Timeout, *, cut_at: int | None, end: int
    ) -> None:
        transport = self.rng.choice(TRANSPORTS)
        place = Place(self.rng.choice(self.servers), self.owner.headers, self.cluster.id)
        self._plan(limit, cut_at)
        async with aclosing(transport(http, place, self.ledger.last)) as parts:
            async for part in parts:
                self.ledger.take(part)
                self.by[transport.__name__] = self.by.get(transport.__name__, 0) + len(part)
                self._plan(limit, cut_at)
                if cut_at is None and self.ledger.last >= end:
                    return

    def _plan(self, limit: asyncio.Timeout, cut_at: int | None) -> None:
        if cut_at is not None and self.ledger.last >= cut_at and limit.when() is None:
            soon = self.rng.random() * CUT_SECONDS
            limit.reschedule(asyncio.get_running_loop().time() + soon)


def assert_may_come_back(code: int) -> None:
    """See that a server hangs up only for a reason that will pass."""
    assert code in COME_BACK, code


# Cut in the middle of a handshake, a client's library may leave a socket to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(USUAL, id="usual"),
        pytest.param(FULL, id="full", marks=[pytest.mark.long, pytest.mark.timeout(2700)]),
    ],
)
async def test_readers_that_are_cut_all_the_time_miss_nothing(
    database_url: str, size: Size, record_property: Any
) -> None:
    database = Database(database_url, pool_size=4)
    written: Written = {}
    async with (
        simulated(database_url, PYK8S_ROLES="api") as site,
        second_server(site) as second,
        httpx.AsyncClient(trust_env=False, timeout=30, limits=httpx.Limits()) as http,
    ):
        with ProcessPoolExecutor(size.processes, get_context("spawn")) as processes:
            warm = [processes.submit(warm_up) for _ in range(size.processes)]
            # Nobody works here: what is written of a cluster is what the writers write.
            await announce_host(database)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(site.server.start())
                tasks.create_task(second.start(PYK8S_DATA_DIR=str(site.path / "second")))
            await asyncio.gather(*map(asyncio.wrap_future, warm))
            owners = await people(database, size.clusters)
            clusters = [await add_cluster(database, each.user) for each in owners]
            readers = [
                Reader(
                    clusters[number % len(clusters)],
                    owners[number % len(clusters)],
                    (site.server.url, second.url),
                    size,
                    random.Random(1000 + number),
                )
                for number in range(size.readers)
            ]
            began = asyncio.get_running_loop().time()
            writing = [
                asyncio.wrap_future(
                    processes.submit(
                        write,
                        Task(
                            database_url,
                            [each.id for each in clusters],
                            range(number, size.writers, size.processes),
                            size.events,
                        ),
                    )
                )
                for number in range(size.processes)
            ]
            async with asyncio.timeout(size.seconds), asyncio.TaskGroup() as tasks:
                for reader in readers:
                    tasks.create_task(reader.read(http))
                for contents in await asyncio.gather(*writing):
                    for cluster_id, content in contents.items():
                        written.setdefault(cluster_id, {}).update(content)
            took = asyncio.get_running_loop().time() - began
    await database.close()

    expected = {}
    for cluster_id, content in written.items():
        assert sorted(content) == list(range(2, size.of_cluster + 2)), "numbers without a gap"
        expected[cluster_id] = digest_of(content[seq] for seq in sorted(content))
    assert [fault for reader in readers for fault in reader.ledger.faults] == []
    assert {reader.ledger.events for reader in readers} == {size.of_cluster}
    assert {reader.cuts for reader in readers} == {size.cuts}
    for reader in readers:
        assert reader.ledger.digest == expected[reader.cluster.id]
    by = {
        transport.__name__: sum(reader.by.get(transport.__name__, 0) for reader in readers)
        for transport in TRANSPORTS
    }
    assert all(by.values()), "each transport has carried something"
    record_property("events_written", sum(map(len, written.values())))
    record_property("events_read", by)
    record_property("cuts", sum(reader.cuts for reader in readers))
    record_property("broken_by_the_server", sum(reader.broken for reader in readers))
    record_property("seconds", round(took, 1))
