"""The move to `deleted` is the last event of a cluster, whatever happens at the same moment."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from pyk8s.wire.accounts import User
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.facts import Note, PhaseChanged
from server.config import Settings
from server.errors import NotReady, PhaseConflict
from server.fanout.follow import Batch, CaughtUp, Ended, follow_cluster
from server.fanout.hub import Hub
from server.store import event_log
from server.store.database import Database
from server.store.event_log import Draft
from tests.factories import add_cluster, log_lines
from tests.integration.conftest import Caller, LabServer, serving, sign_up
from tests.integration.test_api import problem
from tests.ports import free_port

SSE = {"Accept": "text/event-stream"}
ROUNDS = 5
CLUSTERS = 5
MINTERS = 4
"""So many ask for a credential at the same time, until the cluster is gone: 100 in all."""


async def end(database: Database, cluster: Cluster) -> None:
    for source, target in ((Phase.PENDING, Phase.DELETING), (Phase.DELETING, Phase.DELETED)):
        async with database.transaction() as session:
            moved = PhaseChanged(from_=source, to=target, reason="Test")
            await event_log.append(session, cluster.id, [Draft(moved)])


async def spoil(database: Database, cluster: Cluster) -> None:
    """Append a fact to the log of a deleted cluster, as older servers did."""
    async with database.transaction() as session:
        await session.execute(
            text(
                "WITH moved AS (UPDATE clusters SET last_seq = last_seq + 1 WHERE id = :id "
                "RETURNING last_seq) INSERT INTO events (cluster_id, seq, type, version, at, data) "
                "SELECT :id, last_seq, 'note', 1, now(), '{\"text\": \"late\"}' FROM moved"
            ),
            {"id": cluster.id},
        )


async def test_nothing_is_appended_after_the_end(database: Database, owner: User) -> None:
    cluster = await add_cluster(database, owner)
    await end(database, cluster)
    for drafts in ([Draft(Note(text="late"))], log_lines(2)):
        with pytest.raises(PhaseConflict):
            async with database.transaction() as session:
                await event_log.append(session, cluster.id, drafts)
    with pytest.raises(NotReady):
        async with database.transaction() as session:
            await event_log.append_use(session, cluster.id, Note(text="late"))
    async with database.reading() as session:
        assert (
            await session.scalar(
                text("SELECT last_seq FROM clusters WHERE id = :id"), {"id": cluster.id}
            )
            == 3
        )


@pytest.mark.parametrize("after", [0, 2, 3, 4, 5])
async def test_a_follower_of_a_log_that_goes_on_after_the_end_ends(
    database: Database, owner: User, after: int
) -> None:
    cluster = await add_cluster(database, owner)
    await end(database, cluster)
    for _ in range(2):
        await spoil(database, cluster)
    seqs: list[int] = []
    hub = Hub(database)
    async with (
        asyncio.timeout(10),
        aclosing(follow_cluster(hub, database, cluster.id, after=after)) as following,
    ):
        async for item in following:
            assert not isinstance(item, CaughtUp), "it waits for more"
            if isinstance(item, Batch):
                seqs += [event.seq for event in item.run.events]
            if isinstance(item, Ended):
                assert item.seq == max(3, after)
                break
        else:
            raise AssertionError("it said no end")
    assert seqs == [seq for seq in (1, 2, 3) if seq > after]


@pytest.fixture
async def proxied(settings: Settings) -> AsyncIterator[LabServer]:
    """A server whose clusters one can have credentials for, with room for many."""
    with_proxy = settings.model_copy(
        update={"proxy_port": free_port(), "max_clusters_per_user": ROUNDS * CLUSTERS}
    )
    async with serving(with_proxy) as server:
        yield server


@pytest.fixture
async def ann(proxied: LabServer) -> AsyncIterator[Caller]:
    caller = await sign_up(proxied, "ann")
    async with caller.http:
        yield caller


async def events_of(caller: Caller, cluster_id: str) -> list[dict[str, object]]:
    answer = await caller.http.get(f"/api/v1/clusters/{cluster_id}/events?limit=5000")
    assert answer.json()["end"] is True
    items: list[dict[str, object]] = answer.json()["items"]
    return items


def assert_ends_with_its_deletion(events: list[dict[str, object]]) -> None:
    last = events[-1]
    assert last["type"] == "phase_changed", last
    assert last["data"]["to"] == "deleted"  # type: ignore[index]


async def assert_followers_end(caller: Caller, cluster_id: str) -> None:
    url = f"/api/v1/clusters/{cluster_id}"
    async with asyncio.timeout(20):
        answer = await caller.http.get(f"{url}/events?after=0", headers=SSE)
        assert "event: end" in answer.text
        assert (await caller.http.get(f"{url}/log?follow=true")).status_code == 200
        async with caller.stream() as socket:
            topic = f"cluster:{cluster_id}"
            await socket.send(json.dumps({"type": "subscribe", "topic": topic, "after": 0}))
            while json.loads(await socket.recv())["type"] != "end":
                pass


async def test_a_late_revocation_adds_nothing(ann: Caller, proxied: LabServer) -> None:
    cluster_id = (await ann.create())["id"]
    await ann.until(cluster_id, "ready")
    url = f"/api/v1/clusters/{cluster_id}"
    credential = (await ann.http.post(f"{url}/credentials", json={})).json()["id"]
    await ann.http.delete(url)
    before = (await ann.until(cluster_id, "deleted"))["last_seq"]
    problem(await ann.http.delete(f"{url}/credentials/{credential}"), 404, "not_found")
    assert (await ann.http.get(f"{url}/credentials")).json()["items"] == []
    problem(await ann.http.post(f"{url}/credentials", json={}), 409, "not_ready")

    # A row that an older server has left: it is ended, and the log says nothing of it.
    async with proxied.state["database"].transaction() as session:
        statement = "UPDATE credentials SET revoked_at = NULL WHERE id = :id"
        await session.execute(text(statement), {"id": UUID(credential)})
    assert (await ann.http.delete(f"{url}/credentials/{credential}")).status_code == 204
    async with proxied.state["database"].transaction() as session:
        await session.execute(text(statement), {"id": UUID(credential)})
    browser = httpx.AsyncClient(base_url=ann.base_url, trust_env=False)
    async with browser:
        account = {"username": "ann", "password": "correct horse battery"}
        await browser.post("/api/v1/auth/login", json=account)
        assert (await browser.post("/api/v1/auth/logout?everywhere=true")).status_code == 204
        await browser.post("/api/v1/auth/login", json=account)
        assert (await browser.get(url)).json()["last_seq"] == before
        async with proxied.state["database"].reading() as session:
            living = "SELECT count(*) FROM credentials WHERE revoked_at IS NULL"
            assert await session.scalar(text(living)) == 0


async def test_signing_out_everywhere_tells_each_living_cluster_once(
    ann: Caller, proxied: LabServer
) -> None:
    made = [(await ann.create())["id"] for _ in range(2)]
    for cluster_id in made:
        await ann.until(cluster_id, "ready")
        for _ in range(3):
            answer = await ann.http.post(f"/api/v1/clusters/{cluster_id}/credentials", json={})
            assert answer.status_code == 201
    assert (await ann.http.post("/api/v1/auth/logout?everywhere=true")).status_code == 204
    async with proxied.state["database"].reading() as session:
        revoked = await session.execute(
            text(
                "SELECT cluster_id, count(*) FROM events WHERE type = 'credential_revoked' "
                "GROUP BY cluster_id"
            )
        )
        assert {str(row[0]): row[1] for row in revoked} == dict.fromkeys(made, 3)


async def test_credentials_made_while_a_cluster_is_deleted(ann: Caller, proxied: LabServer) -> None:
    async def mint(url: str) -> None:
        while True:
            answer = await ann.http.post(f"{url}/credentials", json={})
            if answer.status_code != 201:
                problem(answer, 409, "not_ready")
                return

    async def revoke(url: str) -> None:
        for _ in range(3):
            for each in (await ann.http.get(f"{url}/credentials")).json()["items"]:
                answer = await ann.http.delete(f"{url}/credentials/{each['id']}")
                assert answer.status_code in {204, 404}, answer.text

    async def race(cluster_id: str) -> None:
        url = f"/api/v1/clusters/{cluster_id}"
        await ann.until(cluster_id, "ready")
        minters = [asyncio.create_task(mint(url)) for _ in range(MINTERS)]
        revoker = asyncio.create_task(revoke(url))
        await asyncio.sleep(0)
        assert (await ann.http.delete(url)).status_code == 202
        await asyncio.gather(*minters, revoker)
        await ann.until(cluster_id, "deleted")

    made: list[str] = []
    for _ in range(ROUNDS):
        some = [(await ann.create())["id"] for _ in range(CLUSTERS)]
        async with asyncio.TaskGroup() as tasks:
            for cluster_id in some:
                tasks.create_task(race(cluster_id))
        made += some
    for cluster_id in made:
        assert_ends_with_its_deletion(await events_of(ann, cluster_id))
    await assert_followers_end(ann, made[0])
    async with proxied.state["database"].reading() as session:
        living = "SELECT count(*) FROM credentials WHERE revoked_at IS NULL"
        assert await session.scalar(text(living)) == 0
