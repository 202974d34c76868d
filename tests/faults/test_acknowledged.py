"""Server and PostgreSQL are killed with -9 in the moment after a 202: the cluster is there."""

import random
import signal
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx
import pytest

from server.store import clusters, event_reads
from server.store.database import Database
from tests.faults.mortal_postgres import mortal_postgres
from tests.faults.simulated_site import people, private_directory, simulated

TIMES: Final = [
    pytest.param(2, id="usual"),
    pytest.param(100, id="full", marks=[pytest.mark.long, pytest.mark.timeout(1500)]),
]
DURABLE: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}


@pytest.mark.parametrize("times", TIMES)
async def test_what_was_acknowledged_survives_a_kill_of_everything(times: int) -> None:
    rng = random.Random(times)
    acknowledged: list[UUID] = []
    with private_directory() as path:
        async with mortal_postgres(path) as (postgres, url), simulated(url) as site:
            assert await settings_of(url) == DURABLE
            database = Database(url, pool_size=2)
            [person] = await people(database, 1)
            await database.close()
            for number in range(times):
                if number:
                    await postgres.start()
                await site.server.start()
                async with httpx.AsyncClient(
                    base_url=site.server.url, headers=person.headers, trust_env=False, timeout=30
                ) as http:
                    # Some with a log that is being written.
                    labels = {"simulate": rng.choice(["hang", "flood:5000:0"])}
                    body = {"name": f"cluster-{number}", "labels": labels}
                    answer = await http.post("/api/v1/clusters", json=body)
                    assert answer.status_code == 202, answer.text
                    site.server.signal(signal.SIGKILL)
                    await postgres.kill()
                    acknowledged.append(UUID(answer.json()["id"]))
                await site.server.kill()
            await postgres.start()
            database = Database(url, pool_size=2)
            for cluster_id in acknowledged:
                async with database.reading() as session:
                    assert await clusters.get_any(session, cluster_id) is not None
                    events = await event_reads.read(session, cluster_id, after=0, limit=100_000)
                assert [each.seq for each in events] == list(range(1, len(events) + 1))
                assert events[0].type == "created"
            await database.close()


async def settings_of(url: str) -> dict[str, Any]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return {name: await connection.fetchval(f"SHOW {name}") for name in DURABLE}
    finally:
        await connection.close(timeout=5)
