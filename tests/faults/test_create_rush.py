"""Everybody creates at once: all are taken, nothing is lost or doubled; beyond the line, 503."""

import asyncio
import time
from collections import Counter
from typing import Any, Final

import asyncpg
import httpx
import pytest

from server.store.database import Database
from tests.faults.crowd import quantile_of
from tests.faults.simulated_site import Person, people, simulated

PEOPLE: Final = 50
CREATES: Final = 200


async def create(
    http: httpx.AsyncClient, url: str, person: Person, name: str
) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    answer = await http.post(
        f"{url}/api/v1/clusters",
        json={"name": name},
        headers={**person.headers, "Idempotency-Key": name},
    )
    return answer, time.monotonic() - began


async def rush(
    database_url: str, **settings: str
) -> tuple[list[tuple[httpx.Response, float]], list[asyncpg.Record]]:
    """Send all creates at once to a server with the usual pool; give answers and rows."""
    database = Database(database_url, pool_size=2)
    owners = await people(database, PEOPLE)
    await database.close()
    limits = httpx.Limits(max_connections=CREATES)
    async with (
        simulated(database_url, PYK8S_MAX_CREATES="1", **settings) as site,
        httpx.AsyncClient(trust_env=False, timeout=120, limits=limits) as http,
    ):
        await site.server.start()
        answers = await asyncio.gather(
            *(
                create(http, site.server.url, owners[n % PEOPLE], f"rush-{n}")
                for n in range(CREATES)
            )
        )
        rows = await site.database.fetch(
            "SELECT c.id::text, c.name, (SELECT count(*) FROM jobs j WHERE j.cluster_id = c.id "
            "AND j.kind = 'create') AS jobs, c.last_seq FROM clusters c"
        )
    return answers, rows


@pytest.mark.timeout(240)
async def test_a_rush_is_taken_in_whole(database_url: str, record_property: Any) -> None:
    answers, rows = await rush(database_url)
    seconds = [took for _, took in answers]
    record_property("create_p50_seconds", round(quantile_of(seconds, 0.5), 2))
    record_property("create_p99_seconds", round(quantile_of(seconds, 0.99), 2))
    assert Counter(answer.status_code for answer, _ in answers) == {202: CREATES}
    assert {answer.json()["id"] for answer, _ in answers} == {row["id"] for row in rows}
    assert Counter(row["name"] for row in rows) == Counter(f"rush-{n}" for n in range(CREATES))
    assert {row["jobs"] for row in rows} == {1}


@pytest.mark.timeout(240)
async def test_beyond_the_line_people_are_told_when_to_come_back(database_url: str) -> None:
    answers, rows = await rush(database_url, PYK8S_DATABASE_QUEUE="5")
    refused = [answer for answer, _ in answers if answer.status_code != 202]
    assert {answer.status_code for answer in refused} == {503}
    assert {answer.json()["code"] for answer in refused} == {"database_busy"}
    assert len({answer.headers["Retry-After"] for answer in refused}) > 1, "not all at one moment"
    taken = {answer.json()["id"] for answer, _ in answers if answer.status_code == 202}
    assert taken == {row["id"] for row in rows}
