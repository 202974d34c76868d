"""Clusters go when their lease is over, by the database's clock."""

import asyncio
from datetime import timedelta

from pyk8s.wire.cluster import Phase
from pyk8s.wire.facts import LeaseExtended
from server.controllers import reaper
from server.store import event_log
from server.store.database import now as database_now
from server.store.event_log import Draft
from tests.integration.conftest import Caller, LabServer


async def test_a_lease_that_is_over_deletes_the_cluster(ann: Caller, lab_server: LabServer) -> None:
    database = lab_server.state["database"]
    clusters = [await ann.create(), await ann.create()]
    ready = [await ann.until(cluster["id"], "ready") for cluster in clusters]
    async with database.transaction() as session:
        over = LeaseExtended(expires_at=await database_now(session) - timedelta(seconds=1))
        first = clusters[0]["id"]
        await event_log.append(session, first, [Draft(over)], expect={Phase.READY})
    await asyncio.gather(*(reaper.reap(database) for _ in range(3)))  # several servers at once
    gone = await ann.until(first, "deleted")
    assert gone["deleted_at"]
    page = (await ann.http.get(f"/api/v1/clusters/{first}/events?types=phase_changed")).json()
    reasons = [event["data"]["reason"] for event in page["items"]]
    assert reasons.count("LeaseExpired") == 1
    other = (await ann.http.get(f"/api/v1/clusters/{ready[1]['id']}")).json()
    assert other["phase"] == "ready"
