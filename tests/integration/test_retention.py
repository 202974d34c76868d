"""Logs go a set time after their cluster; what happened to it stays, and cursors still work."""

from datetime import timedelta

from sqlalchemy import text

from pyk8s import Lab
from server.controllers import retention
from server.store.database import Database
from tests.integration.conftest import Caller, LabServer

DAY = timedelta(days=1)


async def age(database: Database, cluster_id: str, by: timedelta) -> None:
    async with database.transaction() as session:
        query = text(
            "UPDATE clusters SET deleted_at = deleted_at - CAST(:by AS interval) WHERE id = :id"
        )
        await session.execute(query, {"by": by, "id": cluster_id})


async def test_an_old_log_goes_and_its_facts_stay(ann: Caller, lab_server: LabServer) -> None:
    database = lab_server.state["database"]
    old, young, living = [(await ann.create())["id"] for _ in range(3)]
    for cluster_id in (old, young, living):
        await ann.until(cluster_id, "ready")
    for cluster_id in (old, young):
        await ann.http.delete(f"/api/v1/clusters/{cluster_id}")
        await ann.until(cluster_id, "deleted")
    await age(database, old, 2 * DAY)
    before = (await ann.http.get(f"/api/v1/clusters/{old}/events?limit=5000")).json()
    logs = {
        id_: (await ann.http.get(f"/api/v1/clusters/{id_}/log")).text for id_ in (young, living)
    }

    assert await retention.give_up(database, older_than=DAY) == 1
    assert await retention.give_up(database, older_than=DAY) == 0

    after = (await ann.http.get(f"/api/v1/clusters/{old}/events?limit=5000")).json()
    facts = [event for event in before["items"] if event["type"] != "log_line"]
    assert [e for e in after["items"] if e["type"] != "log_expired"] == facts
    assert after["next_after"] == before["next_after"]
    told = (await ann.http.get(f"/api/v1/clusters/{old}/log")).text
    assert set(told.splitlines()) == {
        line for line in told.splitlines() if "no longer kept" in line
    }
    for cluster_id, log in logs.items():
        assert (await ann.http.get(f"/api/v1/clusters/{cluster_id}/log")).text == log
    async with Lab(lab_server.base_url, ann.token) as lab:
        cluster = await lab.clusters.get(old)
        followed = [event async for event in cluster.events(after=0)]
        resumed = [event async for event in cluster.events(after=followed[2].seq + 1)]
    assert [event.seq for event in followed] == [event["seq"] for event in after["items"]]
    assert [(e.seq, e.type) for e in resumed] == [(e.seq, e.type) for e in followed][
        -len(resumed) :
    ]
    assert followed[-1].seq == before["next_after"]
