"""Clusters that rest for long give their memory back, on a real PostgreSQL."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from pyk8s.wire.cluster import Phase
from server.commands import resting
from server.controllers.idle import stop_asleep
from server.drivers.base import DriverError
from server.drivers.simulated import SimulatedDriver
from server.kube.waking import Waker
from server.store import needs
from tests.integration.provisioner.conftest import Lab
from tests.integration.provisioner.test_failures import all_done
from tests.integration.provisioner.test_resting import NO, pause, ready, resume

SECONDS = 3600


class Stubborn(SimulatedDriver):
    """Does not stop as often as it is told to."""

    stops_to_fail = 0

    async def stop(self, attempt_id: UUID) -> None:
        if self.stops_to_fail:
            self.stops_to_fail -= 1
            raise DriverError(NO)
        await super().stop(attempt_id)


@pytest.fixture
def driver(lab: Lab) -> Stubborn:
    made = Stubborn(lab.data_dir / "simulated", speed=lab.speed)
    lab.make_driver = lambda: made
    return made


async def asleep(lab: Lab) -> UUID:
    """Have a paused cluster that nobody has used for longer than that."""
    cluster_id = await ready(lab)
    await pause(lab, cluster_id)
    await lab.reaches(cluster_id, Phase.PAUSED)
    await all_done(lab)
    assert await stop_asleep(lab.database, seconds=SECONDS) == 0
    await age(lab)
    return cluster_id


async def age(lab: Lab) -> None:
    async with lab.database.transaction() as session:
        for column in ("clusters SET ready_at = ready_at", "cluster_use SET used_at = used_at"):
            query = text(f"UPDATE {column} - make_interval(secs => :s)")
            await session.execute(query, {"s": SECONDS + 1})


async def states(driver: Stubborn) -> set[str]:
    return {state for found in await driver.list_attempts() for state in found.nodes.values()}


async def memory(lab: Lab) -> int:
    async with lab.database.reading() as session:
        host_id = UUID(str(await session.scalar(text("SELECT id FROM hosts"))))
        return (await needs.load(session, host_id, await needs.learned(session))).memory


async def test_one_that_rests_for_long_is_stopped_and_started_by_whoever_uses_it(
    lab: Lab, driver: Stubborn
) -> None:
    driver.stops_to_fail = 1
    async with lab.running():
        cluster_id = await asleep(lab)
        assert await memory(lab) > 0
        assert await stop_asleep(lab.database, seconds=SECONDS) == 1
        assert await stop_asleep(lab.database, seconds=SECONDS) == 0, "it is asked for"
        await all_done(lab)
        assert await states(driver) == {"exited"}
        stopped = await lab.cluster(cluster_id)
        assert stopped.phase is Phase.PAUSED
        assert (stopped.conditions[0].status, stopped.conditions[0].reason) == ("False", "Stopped")
        assert await memory(lab) == 0
        assert await stop_asleep(lab.database, seconds=SECONDS) == 0, "once is enough"
        await asyncio.sleep(5 * lab.sweep_seconds)
        assert (await lab.cluster(cluster_id)).last_seq == stopped.last_seq, "sweeps say nothing"

        await Waker(lab.database).awake(cluster_id)
        await all_done(lab)
    awake = await lab.cluster(cluster_id)
    assert (awake.phase, awake.conditions[0].reason) == (Phase.READY, "Resumed")
    assert await states(driver) == {"running"}
    assert await lab.scalar("SELECT count(*) FROM jobs WHERE outcome = 'cancelled'") == 0


async def test_who_comes_in_the_last_moment_is_not_made_to_wait(lab: Lab, driver: Stubborn) -> None:
    async with lab.running():
        cluster_id = await asleep(lab)
    await resting.stop_cluster(lab.database, owner_id=lab.owner_id, id_or_name=cluster_id)
    await resume(lab, cluster_id)
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
    assert await states(driver) == {"running"}
    assert await lab.scalar("SELECT outcome FROM jobs WHERE reason = 'Stopped'") == "cancelled"


async def test_what_is_awake_is_not_stopped(lab: Lab, driver: Stubborn) -> None:
    async with lab.running():
        cluster_id = await ready(lab)
        await age(lab)
        assert await stop_asleep(lab.database, seconds=SECONDS) == 0
        await resting.stop_cluster(lab.database, owner_id=lab.owner_id, id_or_name=cluster_id)
        assert await lab.scalar("SELECT count(*) FROM jobs WHERE reason = 'Stopped'") == 0
    assert await states(driver) == {"running"}
