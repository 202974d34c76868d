"""The server's own PostgreSQL is killed, as the kernel does when memory is short.

The server starts it again by itself. Nothing that was acknowledged is lost, and nobody reads a gap.
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import httpx
import pytest

from server.store.database import Database
from server.store.embedded_home import Home
from server.store.embedded_processes import is_alive, orphans_of, postmaster_of
from tests.faults.customers import LINES_PER_SECOND, Customer, ready, stored
from tests.faults.faithful import Faithful
from tests.faults.simulated_site import people, with_own_postgres
from tests.faults.site import Site, eventually
from tests.faults.transports import Place

LINES: Final = 60
SOCKETS: Final = 4
"""Of each customer."""


def home_of(site: Site) -> Home:
    return Home.find(site.path / "data")


def postmaster(site: Site) -> int:
    pid = postmaster_of(home_of(site).data)
    assert pid is not None
    return pid


async def killed(site: Site) -> int:
    """Kill the postmaster alone, as `kill -9` does; give the process id it had."""
    pid = postmaster(site)
    os.kill(pid, signal.SIGKILL)

    async def is_gone() -> bool:
        return not is_alive(pid)

    await eventually(is_gone)
    return pid


@contextlib.asynccontextmanager
async def server_lives(site: Site) -> AsyncIterator[None]:
    """Show the server's log where the block fails."""
    try:
        yield
    except ExceptionGroup as error:
        raise AssertionError(site.log_tail()) from error


@contextlib.contextmanager
def away(home: Home) -> Iterator[Callable[[Site], Awaitable[None]]]:
    """Give what kills PostgreSQL and hides a file that it needs, until the block ends."""
    needed, hidden = home.data / "pg_hba.conf", home.root / "pg_hba.hidden"

    async def hide(site: Site) -> None:
        needed.rename(hidden)
        await killed(site)

    try:
        yield hide
    finally:
        if hidden.exists():
            hidden.rename(needed)


async def is_back(site: Site, before: int, customers: Sequence[Customer], since: float) -> bool:
    """Whether another postmaster runs, and each customer was answered well under it."""
    now = postmaster_of(home_of(site).data)
    return (
        now is not None
        and now != before
        and all(
            any(each.status == 200 and each.began >= since for each in customer.told)
            for customer in customers
        )
    )


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(3, id="three"),
        pytest.param(20, id="twenty", marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
async def test_a_killed_postgresql_is_started_again(kills: int, record_property: Any) -> None:
    rng, back = random.Random(7), []
    async with (
        with_own_postgres() as (site, address),
        httpx.AsyncClient(trust_env=False, timeout=60) as http,
    ):
        url = f"{site.server.url}/api/v1/clusters"
        database = Database(address, pool_size=2)
        customers = [Customer(site, person) for person in await people(database, 2)]
        await database.close()
        followers = []
        for customer in customers:
            cluster_id = await customer.create(http, "first", LINES)
            place = Place(site.server.url, customer.person.headers, cluster_id)
            followers += [Faithful(place) for _ in range(SOCKETS)]
        done = asyncio.Event()
        async with server_lives(site), asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(each.follow()) for each in followers]
            for each in customers:
                tasks.create_task(each.ask_on(http, done))
            creating = []
            for kill in range(kills):
                creating += [
                    tasks.create_task(each.create(http, f"later-{kill}", LINES_PER_SECOND))
                    for each in customers
                ]
                await asyncio.sleep(rng.random())
                before, since = await killed(site), time.monotonic()
                await eventually(partial(is_back, site, before, customers, since))
                back.append(round(time.monotonic() - since, 2))
            await asyncio.gather(*creating)
            listed = [
                (await http.get(url, params={"limit": 100}, headers=each.person.headers)).json()
                for each in customers
            ]
            last: dict[str, int] = {}

            async def see_ready(customer: Customer, cluster_id: str) -> None:
                last[cluster_id] = await ready(site, http, customer, cluster_id)
                if cluster_id != customer.acknowledged[0]:  # the machine has room for some only
                    await http.delete(f"{url}/{cluster_id}", headers=customer.person.headers)

            await asyncio.gather(
                *(see_ready(each, made) for each in customers for made in each.acknowledged)
            )
            for follower in followers:
                follower.goal = last[str(follower.place.cluster_id)]
            async with asyncio.timeout(60):
                await asyncio.gather(*following)
            done.set()
        digests = {
            str(each.place.cluster_id): await stored(http, each.place, LINES)
            for each in followers[::SOCKETS]
        }
        log = site.log()

    record_property("back_after_kill", back)
    told = [each for customer in customers for each in customer.told]
    assert {each.status for each in told} <= {200, 202, 503}, log[-3000:]
    assert all(each.retry_after for each in told if each.status == 503)
    assert log.count('"postgresql_restarted"') >= kills
    for customer, page in zip(customers, listed, strict=True):
        items = page["items"]
        assert len(items) == len(customer.acknowledged) == kills + 1
        assert {item["id"] for item in items} == set(customer.acknowledged)
    assert [fault for each in followers for fault in each.ledger.faults] == []
    assert [drop for each in followers for drop in each.drops] == [], "no socket is dropped"
    for follower in followers:
        assert follower.ledger.digest == digests[str(follower.place.cluster_id)]


async def test_one_that_does_not_start_is_told_and_tried_again() -> None:
    """Its configuration is missing: the check quotes PostgreSQL, people get a 503 that is true."""
    async with with_own_postgres() as (site, _), httpx.AsyncClient(trust_env=False) as http:
        with away(home_of(site)) as hide:
            await hide(site)

            async def tells_why() -> bool:
                answer = await http.get(f"{site.server.url}/readyz?verbose")
                checks = {each["name"]: each for each in answer.json()["checks"]}
                return answer.status_code == 503 and "pg_hba" in checks["postgresql"]["detail"]

            await eventually(tells_why)
            answer = await http.get(f"{site.server.url}/api/v1/server")
            assert answer.status_code == 503
            problem = answer.json()
            assert (problem["code"], problem["title"]) == (
                "database_restarting",
                "The database is restarting",
            )
            assert "pg_hba" not in problem["detail"], "a path of the host is nobody's business"
            assert int(answer.headers["Retry-After"]) >= 1

        async def is_well() -> bool:
            return (await http.get(f"{site.server.url}/readyz")).status_code == 200

        await eventually(is_well)
        assert site.log().count('"postgresql_start_failed"') < 20, "tried with growing pauses"


async def test_a_server_that_waits_for_its_postgresql_stops_when_told() -> None:
    async with with_own_postgres() as (site, _):
        with away(home_of(site)) as hide:
            await hide(site)

            async def has_tried() -> bool:
                return '"postgresql_start_failed"' in site.log()

            await eventually(has_tried)
            site.server.signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await site.server.ended() == 0


async def test_backends_that_outlive_their_postmaster_are_ended() -> None:
    """A backend that is stopped does not notice; it holds the shared memory until it is ended."""
    async with with_own_postgres() as (site, _), httpx.AsyncClient(trust_env=False) as http:
        backend = await site.database.fetchval("SELECT pg_backend_pid()")
        os.kill(backend, signal.SIGSTOP)
        before = await killed(site)

        async def is_well() -> bool:
            now = postmaster_of(home_of(site).data)
            answer = await http.get(f"{site.server.url}/readyz")
            return answer.status_code == 200 and now not in {None, before}

        await eventually(is_well)
        assert backend not in orphans_of(home_of(site).data)
        assert not is_alive(backend)
