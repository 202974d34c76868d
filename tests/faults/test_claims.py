"""Claims, pauses and wakes at random, by people at the same time: nobody gets another's cluster,
what is called ready answers, and nothing is left."""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from server.config import Settings
from server.drivers.simulated import SimulatedDriver
from server.telemetry import get_logger
from tests.drivers.conftest import why_no_kind
from tests.faults.site import eventually
from tests.integration.conftest import Caller, LabServer, serving, sign_up
from tests.ports import free_port

log = get_logger(__name__)

PEOPLE = ("ann", "bob", "cyd", "dan")
HANDS = 2
"""Each of them does so many things at once."""
OPERATIONS = 100
MOST = 2
"""Clusters of one person."""
SETTLED = {"ready", "paused"}
OPEN = """
SELECT count(*) FROM jobs j JOIN clusters c ON c.id = j.cluster_id JOIN users u ON u.id = c.owner_id
WHERE j.state <> 'done' AND u.username <> '~pool'
"""


@dataclass
class Crowd:
    """Everybody, and what was done."""

    server: LabServer
    is_real: bool
    seed: int
    callers: dict[str, Caller] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    left: int = OPERATIONS

    async def run(self) -> None:
        hands = [
            self._hand(name, random.Random(f"{self.seed} {name} {hand}"))
            for name in PEOPLE
            for hand in range(HANDS)
        ]
        await asyncio.gather(*hands)

    async def _hand(self, name: str, choose: random.Random) -> None:
        caller = self.callers[name]
        while self.left > 0:
            self.left -= 1
            mine = [each for each in await listed(caller) if each["phase"] in SETTLED]
            wishes = ["pause", "resume", "use", "use", "delete"] if mine else []
            if len(await listed(caller)) < MOST:
                wishes += ["claim"] * (3 if mine else 1)
            wish = choose.choice(wishes or ["look"])
            await self._do(wish, name, choose.choice(mine) if mine else None)
            self.done[wish] += 1

    async def _do(self, wish: str, name: str, cluster: dict[str, Any] | None) -> None:
        caller = self.callers[name]
        if wish == "claim":
            answer = await caller.http.post("/api/v1/clusters", json={})
            if answer.status_code == 202:  # else the other hand has taken the last place
                made = answer.json()
                self.done["from the pool"] += made["from_pool"]
                await self.settles(caller, made["id"])
                await self.answers(name, made["id"])
            return
        if cluster is None:
            await asyncio.sleep(0.05)
            return
        if wish == "use":
            await self.answers(name, cluster["id"])
        elif wish == "delete":
            await caller.http.delete(f"/api/v1/clusters/{cluster['id']}")
        else:
            answer = await caller.http.post(f"/api/v1/clusters/{cluster['id']}/{wish}")
            assert answer.status_code in {202, 409}, answer.text

    async def settles(self, caller: Caller, cluster_id: str) -> None:
        async def is_so() -> bool:
            cluster = (await caller.http.get(f"/api/v1/clusters/{cluster_id}")).json()
            assert cluster["phase"] != "failed", cluster["failure"]
            return cluster["phase"] in {*SETTLED, "deleting", "deleted"}

        await eventually(is_so, 240)

    async def answers(self, name: str, cluster_id: str) -> None:
        """Ask the cluster who is asking. Where it is simulated there is nobody to ask."""
        if not self.is_real:
            return
        caller, path = self.callers[name], f"/api/v1/clusters/{cluster_id}"
        issued = await caller.http.post(f"{path}/credentials", json={"name": "crowd"})
        if issued.status_code in {404, 409}:
            return  # the other hand deletes it
        given = issued.json()
        trust = ssl.create_default_context(cadata=given["certificate_authority"])
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=60) as client:
            asked = await client.post(
                f"{given['server']}/apis/authentication.k8s.io/v1/selfsubjectreviews",
                json={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
                headers={"Authorization": f"Bearer {given['token']}"},
            )
        phase = (await caller.http.get(path)).json()["phase"]
        if phase in SETTLED:
            assert asked.status_code == 201, (phase, asked.status_code, asked.text)
            assert asked.json()["status"]["userInfo"]["username"] == name
            self.done["answered"] += 1


async def listed(caller: Caller) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.http.get("/api/v1/clusters")).json()["items"]
    return items


@asynccontextmanager
async def crowd(settings: Settings, *, is_real: bool, seed: int) -> AsyncIterator[Crowd]:
    async with serving(settings) as server:
        made = Crowd(server, is_real, seed)
        for name in PEOPLE:
            made.callers[name] = await sign_up(server, name)
        try:
            yield made
        finally:
            for caller in made.callers.values():
                await caller.http.aclose()


async def scalar(server: LabServer, query: str) -> Any:
    async with server.state["database"].reading() as session:
        return await session.scalar(text(query))


async def check(made: Crowd) -> None:
    """See that all is as it should be, then take everything away."""
    await made.run()
    server = made.server

    async def is_quiet() -> bool:
        return bool(await scalar(server, OPEN) == 0)

    await eventually(is_quiet, 240)
    for name, caller in made.callers.items():
        for cluster in await listed(caller):
            assert cluster["phase"] in SETTLED, cluster
            assert cluster["owner"] == name
            await made.answers(name, cluster["id"])
    doubled = "SELECT count(*) - count(DISTINCT attempt_id) FROM cluster_access"
    assert await scalar(server, doubled) == 0
    wrong = (
        "SELECT count(*) FROM cluster_access a JOIN attempts t ON t.id = a.attempt_id "
        "WHERE t.cluster_id <> a.cluster_id"
    )
    assert await scalar(server, wrong) == 0
    admin = made.callers[PEOPLE[0]].http
    await admin.put("/api/v1/admin/pool", json={"template": "default", "size": 0})
    for caller in made.callers.values():
        for cluster in await listed(caller):
            await caller.http.delete(f"/api/v1/clusters/{cluster['id']}")

    async def is_empty() -> bool:
        alive = "SELECT count(*) FROM clusters WHERE deleted_at IS NULL"
        pieces = "SELECT count(*) FROM attempts WHERE removed_at IS NULL"
        return [await scalar(server, each) for each in (alive, pieces)] == [0, 0]

    await eventually(is_empty, 240)
    log.info("crowd", **made.done)
    assert made.done["from the pool"] > 0


@pytest.mark.timeout(300)
async def test_at_random(database_url: str, tmp_path: Path) -> None:
    settings = Settings(
        port=free_port(),
        data_dir=tmp_path / "data",
        database_url=SecretStr(database_url),
        driver="simulated",
        proxy_port=0,
        apps_port=0,
        simulated_speed=50,
        pool="default=4",
        signup="open",
        host_name="test-host",
    )
    async with crowd(settings, is_real=False, seed=7) as made:
        await check(made)
    pieces = tmp_path / "data" / "simulated"
    driver = SimulatedDriver(pieces, speed=1)
    assert await driver.list_attempts() == []


@pytest.mark.docker
@pytest.mark.long
@pytest.mark.timeout(1500)
async def test_at_random_with_real_clusters(database_url: str, tmp_path: Path) -> None:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    settings = Settings(
        port=free_port(),
        data_dir=tmp_path / "data",
        database_url=SecretStr(database_url),
        driver="kind",
        proxy_port=free_port(),
        apps_port=0,
        pool="default=4",
        signup="open",
        host_name="test-host",
    )
    async with crowd(settings, is_real=True, seed=7) as made:

        async def is_filled() -> bool:
            answer = await made.callers["ann"].http.get("/api/v1/admin/pool")
            return bool(answer.json()["items"][0]["ready"] == 4)

        await eventually(is_filled, 300)
        await check(made)
