"""The lease: longer on request, within bounds, with a warning before its end."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from pyk8s.wire.facts import LeaseExtended
from server.commands.lease import warn_of_ends
from server.store import event_log
from server.store.database import Database, now
from server.store.event_log import Draft
from tests.integration.conftest import Caller, LabServer
from tests.integration.test_api import problem


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def let_end_in(database: Database, cluster: dict[str, Any], seconds: int) -> None:
    async with database.transaction() as session:
        end = await now(session) + timedelta(seconds=seconds)
        await event_log.append(session, cluster["id"], [Draft(LeaseExtended(expires_at=end))])


async def warnings(caller: Caller, cluster: dict[str, Any]) -> list[str]:
    url = f"/api/v1/clusters/{cluster['id']}/events?types=lease_expiring"
    page = (await caller.http.get(url)).json()
    return [event["data"]["expires_at"] for event in page["items"]]


async def test_extensions_add_up(ann: Caller) -> None:
    cluster = await ann.create()
    before = at((await ann.until(cluster["id"], "ready"))["expires_at"])
    url = f"/api/v1/clusters/{cluster['id']}/extend"
    answers = await asyncio.gather(*(ann.http.post(url, json={"seconds": 600}) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    ends = sorted(at(answer.json()["expires_at"]) for answer in answers)
    assert ends == [before + timedelta(seconds=600 * n) for n in range(1, 6)]


async def test_no_longer_than_the_server_lets(ann: Caller) -> None:
    cluster = await ann.create(ttl_seconds=3600)
    await ann.until(cluster["id"], "ready")
    url = f"/api/v1/clusters/{cluster['id']}/extend"
    refused = problem(await ann.http.post(url, json={"seconds": 24 * 3600}), 422, "validation")
    assert refused.errors is not None
    assert refused.errors[0].field == "seconds"
    problem(await ann.http.post(url, json={"seconds": 1}), 422, "validation")
    assert (await ann.http.post(url, json={"seconds": 22 * 3600})).status_code == 202


async def test_repeated_extensions_end_at_the_longest_life(
    ann: Caller, lab_server: LabServer
) -> None:
    """However late each of them comes, and however many come at once."""
    database = lab_server.state["database"]
    cluster = await ann.create(ttl_seconds=3600)
    ready_at = at((await ann.until(cluster["id"], "ready"))["ready_at"])
    most = timedelta(seconds=lab_server.state["settings"].max_ttl_seconds)
    # As if the cluster were nearly as old as it may become: it was ready 23.5 hours ago.
    async with database.transaction() as session:
        older = text("UPDATE clusters SET ready_at = ready_at - interval '23.5 h' WHERE id = :id")
        await session.execute(older, {"id": cluster["id"]})
    last = ready_at - timedelta(hours=23.5) + most
    await let_end_in(database, cluster, 300)
    url = f"/api/v1/clusters/{cluster['id']}/extend"
    answers = await asyncio.gather(*(ann.http.post(url, json={"seconds": 600}) for _ in range(8)))
    extended = [each for each in answers if each.status_code == 202]
    assert len(extended) == 2
    assert max(at(each.json()["expires_at"]) for each in extended) <= last
    refused = problem(await ann.http.post(url, json={"seconds": 600}), 422, "validation")
    told = re.search(r"in all, this one until (\S+)$", refused.detail)
    assert told is not None
    assert at(told[1]) == last
    assert refused.fix is not None
    possible = re.fullmatch(r"ask for (\d+) s or less", refused.fix)
    assert possible is not None
    most_now = {"seconds": int(possible[1])}
    assert (await ann.http.post(url, json=most_now)).status_code == 202
    over = problem(await ann.http.post(url, json={"seconds": 60}), 422, "validation")
    assert over.fix == "create another cluster"


async def test_there_is_nothing_to_extend_before_ready(ann: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "hang"})
    url = f"/api/v1/clusters/{cluster['id']}/extend"
    refused = problem(await ann.http.post(url, json={"seconds": 600}), 409, "phase_conflict")
    assert "ready" in refused.detail


@pytest.mark.parametrize("left", [590, 110])
async def test_each_end_is_warned_of_once(ann: Caller, lab_server: LabServer, left: int) -> None:
    database = lab_server.state["database"]
    cluster = await ann.create()
    await ann.until(cluster["id"], "ready")
    limit = 600 if left > 120 else 120
    assert await warn_of_ends(database, seconds=limit) == 0
    await let_end_in(database, cluster, left)
    await asyncio.gather(*(warn_of_ends(database, seconds=limit) for _ in range(4)))
    told = await warnings(ann, cluster)
    assert len(told) == 1
    assert told == [(await ann.until(cluster["id"], "ready"))["expires_at"]]
    # Once it was extended, the new end is warned of again.
    extended = await ann.http.post(
        f"/api/v1/clusters/{cluster['id']}/extend", json={"seconds": 3600}
    )
    assert extended.status_code == 202
    await let_end_in(database, cluster, left)
    assert await warn_of_ends(database, seconds=limit) == 1


async def test_a_short_lease_needs_no_early_warning(ann: Caller, lab_server: LabServer) -> None:
    cluster = await ann.create(ttl_seconds=300)
    await ann.until(cluster["id"], "ready")
    assert await warn_of_ends(lab_server.state["database"], seconds=600) == 0
    assert await warnings(ann, cluster) == []
