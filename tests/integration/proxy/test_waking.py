"""Whoever uses a paused cluster through the proxy wakes it."""

import asyncio
from uuid import UUID

from tests.integration.proxy.conftest import Site


async def test_a_request_wakes_the_cluster_and_is_answered(site: Site) -> None:
    path = f"/api/v1/clusters/{site.mine}"
    answer = await site.ann.http.post(path + "/pause")
    assert answer.status_code == 202
    await site.ann.until(str(site.mine), "paused")
    answers = await asyncio.gather(*(site.ask(site.at("/api/v1/pods")) for _ in range(5)))
    assert [status for status, _, _ in answers] == [200] * 5
    assert (await site.ann.http.get(path)).json()["phase"] == "ready"
    events = (await site.ann.http.get(path + "/events", params={"types": "phase_changed"})).json()
    reasons = [event["data"]["reason"] for event in events["items"]]
    assert reasons[-2:] == ["PauseRequested", "Used"]
    assert UUID(str(site.mine))
