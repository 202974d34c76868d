"""One cluster floods while many watch it, and others go on: every line arrives, nobody is slowed.

The flood is written on one server and watched on another one.
"""

import asyncio
import functools
import hashlib
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from server.store.database import Database
from tests.faults.ledger import Ledger, content_of
from tests.faults.simulated_site import Person, people, simulated
from tests.faults.site import ServerProcess, eventually
from tests.faults.transports import Place, over_websocket
from tests.ports import free_port

FLOOD_TEXT: Final = "I1123 12:00:00.000000     178 flood.go:1] a line of the simulated flood"
CAP_BYTES: Final = 2_000_000_000
SLOWER: Final = 10
"""So many times slower may look like noise where promises are kept in milliseconds."""


@dataclass(frozen=True, slots=True)
class Size:
    lines: int
    per_second: int
    """0: as fast as it goes."""
    viewers: int
    others: int
    baseline_seconds: float
    seconds: float
    """At most for everything."""
    slowest_seconds: float
    """So old the others' events may be, all but one in a hundred, or some times as old as before.
    A short run on a busy machine sees only what hangs."""


USUAL: Final = Size(20_000, 0, 3, 1, 0.5, 60, 10.0)
FULL: Final = Size(600_000, 10_000, 50, 19, 15.0, 400, 0.5)
OTHERS_PER_SECOND: Final = 50


@dataclass
class Viewer:
    """One socket that notes how old what comes is: `closely` each event, else each frame."""

    place: Place
    closely: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    ages: list[tuple[float, float]] = field(default_factory=list)
    """When each came, and how many seconds it was old."""
    flood: Any = field(default_factory=hashlib.sha256)
    lines: int = 0

    async def watch(self, http: httpx.AsyncClient, lines: int) -> None:
        """Watch until so many lines of the flood have come."""
        async with aclosing(over_websocket(http, self.place, 0)) as parts:
            async for part in parts:
                now = time.time()
                self.ledger.take(part)
                self.ages += [(now, now - at) for at in part.at[: None if self.closely else 1]]
                flood = flood_of(part.content)
                self.flood.update(flood)
                self.lines += flood.count(b"\n")
                if self.lines >= lines:
                    return

    def p99(self, since: float, until: float) -> float:
        ages = sorted(age for when, age in self.ages if since <= when < until)
        return ages[int(len(ages) * 0.99)]


FLOOD_START: Final = b"log_line " + FLOOD_TEXT.encode()


@functools.lru_cache(64)
def flood_of(content: bytes) -> bytes:
    """Give those lines of some events that are the flood's; viewers share what they come in."""
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if line.startswith(FLOOD_START))


def flood_digest(lines: int) -> str:
    digest = hashlib.sha256()
    for number in range(1, lines + 1):
        digest.update(content_of("log_line", f"{FLOOD_TEXT} #{number}"))
    return digest.hexdigest()


async def create(http: httpx.AsyncClient, url: str, person: Person, name: str, flood: str) -> str:
    answer = await http.post(
        f"{url}/api/v1/clusters",
        headers=person.headers,
        json={"name": name, "labels": {"simulate": f"flood:{flood}"}},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(USUAL, id="usual"),
        pytest.param(FULL, id="full", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
async def test_every_line_arrives_and_nobody_is_slowed(
    database_url: str, size: Size, record_property: Any
) -> None:
    database = Database(database_url, pool_size=2)
    [person] = await people(database, 1)
    await database.close()
    async with (
        simulated(database_url, PYK8S_LOG_CAP_BYTES=str(CAP_BYTES)) as site,
        httpx.AsyncClient(trust_env=False, timeout=30) as http,
    ):
        watched = ServerProcess(site, free_port())
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(site.server.start(PYK8S_ROLES="provisioner,controllers,api"))
                tasks.create_task(
                    watched.start(
                        PYK8S_ROLES="api",
                        PYK8S_STREAMS_PER_USER="10000",
                        PYK8S_DATA_DIR=str(site.path / "watched"),
                    )
                )
            flood = f"1000000:{OTHERS_PER_SECOND}"
            ids = [
                await create(http, site.server.url, person, f"other-{n}", flood)
                for n in range(size.others)
            ]
            others = [
                Viewer(Place(watched.url, person.headers, each), closely=True) for each in ids
            ]
            async with asyncio.timeout(size.seconds), asyncio.TaskGroup() as tasks:
                watching = [tasks.create_task(each.watch(http, 1_000_000)) for each in others]
                await eventually(lambda: have_lines(others))
                began = time.time()
                await asyncio.sleep(size.baseline_seconds)
                cluster_id = await create(
                    http, site.server.url, person, "flooded", f"{size.lines}:{size.per_second}"
                )
                viewers = [
                    Viewer(Place(watched.url, person.headers, cluster_id))
                    for _ in range(size.viewers)
                ]
                flooding = time.time()
                await asyncio.gather(*(each.watch(http, size.lines) for each in viewers))
                done = time.time()
                for task in watching:
                    task.cancel()
        finally:
            await watched.kill()

    expected = flood_digest(size.lines)
    for each in (*viewers, *others):
        assert each.ledger.faults == []
    assert {each.lines for each in viewers} == {size.lines}
    assert {each.flood.hexdigest() for each in viewers} == {expected}
    before = max(each.p99(began, flooding) for each in others)
    during = max(each.p99(flooding, done) for each in others)
    record_property("seconds", round(done - flooding, 1))
    record_property("lines_per_second", round(size.lines / (done - flooding)))
    record_property("viewers_p99", round(max(each.p99(flooding, done) for each in viewers), 3))
    record_property("others_p99_before", round(before, 4))
    record_property("others_p99_during", round(during, 4))
    record_property("others_events", sum(each.ledger.events for each in others))
    assert during < max(size.slowest_seconds, SLOWER * before)


async def have_lines(viewers: Sequence[Viewer]) -> bool:
    return all(each.lines for each in viewers)
