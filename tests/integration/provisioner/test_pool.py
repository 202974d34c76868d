"""Prebuilt clusters on a real PostgreSQL, with a driver that can be made to fail."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from pyk8s.wire.cluster import Cluster, CreateCluster, Phase
from server.commands import pool as commands
from server.commands.clusters import Limits, create_cluster
from server.drivers.base import DriverError, Explanation
from server.drivers.simulated import SimulatedDriver
from server.errors import NameTaken
from server.provisioner import handover
from server.store import accounts, clusters, pool
from tests.factories import add_user
from tests.integration.provisioner.conftest import Lab, eventually
from tests.integration.provisioner.test_failures import all_done

LIMITS = Limits(clusters=20, max_ttl_seconds=3600)
NO = Explanation(code="not_awake", title="No", cause="it does not wake up", fix="wait")


class Brittle(SimulatedDriver):
    """Some of its clusters never wake up, others never answer."""

    def __init__(self, pieces: Path, speed: float) -> None:
        super().__init__(pieces, speed=speed)
        self.never_wake: set[UUID] = set()
        self.never_answer: set[UUID] = set()

    async def wake(self, attempt_id: UUID, kubeconfig: str, *, with_nodes: bool = False) -> None:
        if attempt_id in self.never_wake:
            raise DriverError(NO)
        if attempt_id in self.never_answer:
            await asyncio.Event().wait()
        await super().wake(attempt_id, kubeconfig, with_nodes=with_nodes)


@pytest.fixture
def driver(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Brittle:
    monkeypatch.setattr(handover, "AWAKE_SECONDS", 1.0)
    monkeypatch.setattr(pool, "SETTLING", timedelta(0))
    made = Brittle(lab.data_dir / "simulated", lab.speed)
    lab.make_driver = lambda: made
    return made


async def look_after(lab: Lab, size: int) -> None:
    await commands.look_after(lab.database, {"default": size}, max_age_seconds=600)


async def filled(lab: Lab, size: int) -> list[pool.Member]:
    """Fill the pool, and wait until all but the first sleep."""

    async def is_full() -> list[pool.Member] | None:
        await look_after(lab, size)
        async with lab.database.reading() as session:
            found = await pool.members(session)
        asleep = [each for each in found if each.phase is Phase.PAUSED and not each.is_changing]
        awake = [each for each in found if each.phase is Phase.READY and not each.is_changing]
        return found if len(found) == size and len(awake) == 1 and len(asleep) == size - 1 else None

    members: list[pool.Member] = await eventually(is_full)
    return members


async def attempt_of(lab: Lab, cluster_id: UUID) -> UUID:
    found: UUID = await lab.scalar(
        "SELECT attempt_id FROM cluster_access WHERE cluster_id = :id", id=cluster_id
    )
    return found


async def claim(lab: Lab, name: str | None = None, owner_id: UUID | None = None) -> Cluster:
    return await create_cluster(
        lab.database,
        owner_id=owner_id or lab.owner_id,
        request=CreateCluster(name=name, ttl_seconds=300),
        idempotency_key=None,
        limits=LIMITS,
    )


async def test_a_claim_is_ready_at_once_and_shows_nothing_of_before(
    lab: Lab, driver: Brittle
) -> None:
    async with lab.running():
        before = await filled(lab, 2)
        attempt_id = await attempt_of(lab, before[0].cluster_id)
        asked = await claim(lab, "mine")
        assert (asked.phase, asked.from_pool, asked.name) == (Phase.PROVISIONING, True, "mine")
        cluster = await lab.reaches(asked.id, Phase.READY)
        await all_done(lab)
    assert await attempt_of(lab, cluster.id) == attempt_id
    assert cluster.owner == "ann"
    assert cluster.expires_at is not None
    assert cluster.ready_at is not None
    assert abs((cluster.expires_at - cluster.ready_at).total_seconds() - 300) < 1
    types = [event.type for event in await lab.events(cluster.id)]
    assert types == [
        "created",
        "claimed_from_pool",
        "phase_changed",
        "condition_changed",
        "lease_extended",
        "phase_changed",
    ]
    async with lab.database.reading() as session:
        page = await clusters.list_of(session, lab.owner_id, include_deleted=True)
        left = await pool.members(session)
    assert [each.id for each in page.items] == [cluster.id]
    assert [each.cluster_id for each in left] == [before[1].cluster_id]


async def test_deleting_a_claimed_one_leaves_nothing(lab: Lab, driver: Brittle) -> None:
    async with lab.running():
        await filled(lab, 1)
        asked = await claim(lab)
        await lab.reaches(asked.id, Phase.READY)
        await lab.ask_to_delete(asked.id)
        await lab.reaches(asked.id, Phase.DELETED)
        await all_done(lab)
    assert await driver.list_attempts() == []
    assert list((lab.data_dir / "attempts").glob("*-*")) == []


async def test_bad_ones_are_thrown_away_and_the_next_is_taken(lab: Lab, driver: Brittle) -> None:
    async with lab.running():
        before = await filled(lab, 3)
        attempts = [await attempt_of(lab, each.cluster_id) for each in before]
        driver.never_wake.add(attempts[0])
        driver.never_answer.add(attempts[1])
        asked = await claim(lab)
        await lab.reaches(asked.id, Phase.READY)
        assert await attempt_of(lab, asked.id) == attempts[2]

        async def bad_ones_gone() -> bool:
            left = {found.attempt_id for found in await driver.list_attempts()}
            return left == {attempts[2]}

        await eventually(bad_ones_gone)
        await all_done(lab)


async def test_when_none_is_good_one_is_built(lab: Lab, driver: Brittle) -> None:
    async with lab.running():
        before = await filled(lab, 1)
        bad = await attempt_of(lab, before[0].cluster_id)
        driver.never_wake.add(bad)
        asked = await claim(lab)
        cluster = await lab.reaches(asked.id, Phase.READY)
        await all_done(lab)
        assert await attempt_of(lab, asked.id) != bad
    assert "access" in {
        event.data.step.value
        for event in await lab.events(cluster.id)
        if event.type == "step_started"
    }
    assert len(await driver.list_attempts()) == 1


async def test_many_at_once_get_one_each(lab: Lab, driver: Brittle) -> None:
    names = [f"person-{number}" for number in range(6)]
    people = [await add_user(lab.database, name) for name in names]
    async with lab.running():
        await filled(lab, 4)
        asked = await asyncio.gather(*(claim(lab, owner_id=each.id) for each in people))
        for each in asked:
            await lab.reaches(each.id, Phase.READY)
        await all_done(lab)
        attempts = {await attempt_of(lab, each.id) for each in asked}
    assert len(attempts) == 6
    assert sum(each.from_pool for each in asked) == 4
    assert [(await lab.cluster(each.id)).owner for each in asked] == names


async def test_who_takes_one_holds_up_nobody_else(lab: Lab, driver: Brittle) -> None:
    async with lab.running():
        before = await filled(lab, 2)
    wanted = pool.Wanted("default", before[0].kubernetes_version, 1, 0, "simulated")
    async with lab.database.transaction() as one, lab.database.transaction() as other:
        taken = [await pool.take(one, wanted), await pool.take(other, wanted)]
        assert await pool.take(other, wanted) == taken[1], "its own lock is no obstacle"
    assert set(taken) == {each.cluster_id for each in before}


@pytest.mark.parametrize(
    ("kind", "state", "can"),
    [
        ("wake", "queued", True),
        ("wake", "running", True),
        ("pause", "queued", True),
        ("pause", "running", False),
        ("delete", "queued", False),
    ],
)
async def test_what_is_being_woken_can_be_taken_and_what_is_being_frozen_cannot(
    lab: Lab, driver: Brittle, kind: str, state: str, can: bool
) -> None:
    async with lab.running():
        (member,) = await filled(lab, 1)
    await lab.execute(
        "INSERT INTO jobs (id, cluster_id, kind, state, lease_until) VALUES "
        "(gen_random_uuid(), :id, :kind, :state, now() + interval '1 hour')",
        id=member.cluster_id,
        kind=kind,
        state=state,
    )
    asked = await claim(lab)
    assert asked.from_pool is can
    left = await lab.scalar("SELECT count(*) FROM jobs WHERE state = 'queued' AND kind = 'pause'")
    assert left == 0


async def test_a_taken_name_takes_nothing_out_of_the_pool(lab: Lab, driver: Brittle) -> None:
    async with lab.running():
        await filled(lab, 2)
        await claim(lab, "mine")
        with pytest.raises(NameTaken):
            await claim(lab, "mine")
        await all_done(lab)
        async with lab.database.reading() as session:
            assert len(await pool.members(session)) == 1


async def test_the_owner_of_the_pool_is_nobody(lab: Lab) -> None:
    async with lab.database.reading() as session:
        assert await accounts.password_of(session, "~pool") is None
    await lab.execute("DELETE FROM users WHERE username = 'ann'")
    async with lab.database.reading() as session:
        assert not await accounts.has_users(session)


async def test_a_failed_build_is_removed_and_waited_after(lab: Lab, driver: Brittle) -> None:
    async def fail(*_: object) -> None:
        raise DriverError(NO)

    driver.finish = fail  # type: ignore[method-assign, assignment]
    async with lab.running():

        async def is_begun() -> bool:
            await look_after(lab, 1)
            return bool(await lab.scalar("SELECT count(*) FROM jobs"))

        await eventually(is_begun)
        await all_done(lab)
        plans = await commands.look_after(lab.database, {"default": 1}, max_age_seconds=600)
        await all_done(lab)
    assert len(plans["default"].delete) == 1
    assert "failed" in (plans["default"].waits_for or "")
    assert await driver.list_attempts() == []
