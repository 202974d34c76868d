"""The waiting line: who is next, what the others are told, and what is learned for it."""

from uuid import UUID

import pytest
import uuid_utils.compat as uuids
from sqlalchemy import text

from pyk8s.wire.cluster import Cluster, Phase, Queue
from pyk8s.wire.events import QueuedEvent
from server.admission import GIB, Need, Space
from server.drivers.base import DriverError, Explanation, Usage
from server.drivers.simulated import NODE_BYTES, SimulatedDriver
from server.provisioner.meter import Meter
from server.provisioner.workshop import Workshop
from server.store import claims, line, needs
from tests.integration.provisioner.conftest import Lab, eventually
from tests.integration.provisioner.test_jobs import claim, host


async def another_user(lab: Lab, name: str) -> Lab:
    """Give the same installation as somebody else sees it."""
    owner_id = uuids.uuid7()
    await lab.execute(
        "INSERT INTO users (id, username, password_hash) VALUES (:id, :name, 'x')",
        id=owner_id,
        name=name,
    )
    return Lab(lab.database, lab.data_dir, owner_id)


async def order(lab: Lab, host_id: UUID) -> list[UUID]:
    async with lab.database.reading() as session:
        return [each.cluster_id for each in await line.waiting(session, host_id)]


async def test_everybody_in_turn_and_the_older_first(lab: Lab) -> None:
    here = await host(lab)
    bob = await another_user(lab, "bob")
    anns = [await lab.ask() for _ in range(3)]
    bobs = [await bob.ask() for _ in range(2)]
    assert await order(lab, here) == [anns[0], bobs[0], anns[1], bobs[1], anns[2]]
    first = await claim(lab, here)
    assert first is not None
    assert first.cluster_id == anns[0]
    # What ann has being built counts as hers: both of bob's come before her third.
    assert await order(lab, here) == [bobs[0], anns[1], bobs[1], anns[2]]


async def test_what_has_its_place_already_does_not_wait_in_line(lab: Lab) -> None:
    here = await host(lab)
    begun, waits = await lab.ask(), await lab.ask()
    job = await claim(lab, here, lease=0)
    assert job is not None
    assert job.cluster_id == begun
    async with lab.database.transaction() as session:
        await claims.take_turn(session)
        again = await claims.claim(session, host_id=here, worker="w", lease_seconds=15)
    assert again is not None
    assert again.cluster_id == begun
    assert await order(lab, here) == [waits]
    async with lab.database.transaction() as session:
        await claims.take_turn(session)
        assert await claims.claim(session, host_id=here, worker="w", lease_seconds=15) is None


async def queue_of(lab: Lab, cluster_id: UUID) -> Queue | None:
    return (await lab.cluster(cluster_id)).queue


async def waits(lab: Lab, cluster_id: UUID, position: int, size: int) -> Queue:
    async def told() -> Queue | None:
        queue = await queue_of(lab, cluster_id)
        return queue if queue is not None and queue.position == position else None

    found: Queue = await eventually(told, 20)
    assert found.size == size
    return found


async def test_those_who_wait_are_told_where_they_are_and_move_up(lab: Lab) -> None:
    lab.max_creates = 1
    first, second, third = (
        await lab.ask(simulate="hang"),
        await lab.ask(simulate="hang"),
        await lab.ask(),
    )
    async with lab.running():
        await lab.reaches(first, Phase.PROVISIONING)
        queue = await waits(lab, second, 1, 2)
        assert queue.reason == "this host builds 1 cluster at a time"
        await waits(lab, third, 2, 2)
        await lab.cancel(first)
        await lab.reaches(second, Phase.PROVISIONING)
        assert await queue_of(lab, second) is None
        await waits(lab, third, 1, 1)
        await lab.cancel(second)
        await lab.reaches(third, Phase.READY)
    said = [event.data for event in await lab.events(third) if isinstance(event, QueuedEvent)]
    assert [(each.position, each.size) for each in said] == [(2, 2), (1, 1)]


async def test_one_that_waits_can_be_cancelled_and_deleted(lab: Lab) -> None:
    lab.max_creates = 1
    first, second, third = (
        await lab.ask(simulate="hang"),
        await lab.ask(),
        await lab.ask(),
    )
    async with lab.running():
        await lab.reaches(first, Phase.PROVISIONING)
        await waits(lab, third, 2, 2)
        assert (await lab.cancel(second)).phase is Phase.FAILED
        await waits(lab, third, 1, 1)
        await lab.ask_to_delete(third)
        assert (await lab.reaches(third, Phase.DELETED)).queue is None
        await lab.ask_to_delete(first)
        await lab.reaches(first, Phase.DELETED)


class Sized(SimulatedDriver):
    """A driver whose machine is as large as the test says."""

    now: Space | Explanation

    async def space(self) -> Space:
        if isinstance(self.now, Explanation):
            raise DriverError(self.now)
        return self.now


@pytest.fixture
def sized(lab: Lab) -> Sized:
    driver = Sized(lab.data_dir / "simulated", speed=lab.speed)
    lab.make_driver = lambda: driver
    return driver


async def test_a_full_machine_lets_nobody_in_until_a_cluster_ends(lab: Lab, sized: Sized) -> None:
    sized.now = Space(cpus=8, memory_total=3 * GIB, memory_available=None)
    first = await lab.ask()
    async with lab.running():
        await lab.reaches(first, Phase.READY)
        second = await lab.ask()
        queue = await waits(lab, second, 1, 1)
        assert "0.6 GiB of memory" in queue.reason
        await lab.ask_to_delete(first)
        await lab.reaches(second, Phase.READY)


async def test_a_machine_that_does_not_answer_is_waited_for(lab: Lab, sized: Sized) -> None:
    sized.now = Explanation("docker_unreachable", "Docker does not answer", "gone", "start it")
    cluster_id = await lab.ask()
    async with lab.running():
        queue = await waits(lab, cluster_id, 1, 1)
        assert queue.reason == "Docker does not answer: gone. What helps: start it"
        sized.now = Space(cpus=8, memory_total=8 * GIB, memory_available=None)
        await lab.reaches(cluster_id, Phase.READY)


async def learned(lab: Lab) -> Need:
    async with lab.database.reading() as session:
        return (await needs.learned(session))["default", "simulated"]


async def ready(lab: Lab) -> Cluster:
    async with lab.running():
        return await lab.reaches(await lab.ask(), Phase.READY)


async def test_what_a_cluster_took_is_learned(lab: Lab) -> None:
    await ready(lab)
    assert (await learned(lab)).memory == NODE_BYTES
    assert (await learned(lab)).standing_cores == Need().standing_cores  # not measured yet
    await ready(lab)
    await lab.execute(
        "UPDATE attempts SET memory_bytes = 2 * memory_bytes, build_cpu_seconds = 30, "
        "finished_at = started_at + interval '20 seconds'"
    )
    assert (await learned(lab)).memory == 2 * NODE_BYTES
    assert (await learned(lab)).build_cores == pytest.approx(1.5)


class Metered(SimulatedDriver):
    """A driver whose clusters use what the test says."""

    used: Usage | None = None

    async def usage(self, attempt_id: UUID) -> Usage | None:
        return self.used


async def test_ready_clusters_are_measured_and_their_quietest_time_counts(lab: Lab) -> None:
    await ready(lab)
    driver = Metered(lab.data_dir / "simulated")
    shop = Workshop(
        database=lab.database,
        driver=driver,
        sealer=lab.sealer,
        attempts_dir=lab.data_dir / "attempts",
        host_id=await lab.scalar("SELECT id FROM hosts"),
        log_cap_bytes=lab.log_cap_bytes,
    )
    now = 0.0
    meter = Meter(shop, clock=lambda: now)
    for seconds, cpu, memory in [(0, 100, 700), (60, 160, 900), (120, 166, 800), (180, 190, 800)]:
        now, driver.used = float(seconds), Usage(memory * 1024**2, cpu)
        await meter.measure()
    driver.used = None  # nothing is learned from what cannot be measured
    await meter.measure()
    need = await learned(lab)
    assert need.memory == 900 * 1024**2
    assert need.standing_cores == pytest.approx(0.1)


async def test_a_host_adds_up_what_is_on_it(lab: Lab) -> None:
    await ready(lab)
    here = await lab.scalar("SELECT id FROM hosts")
    waiting = await lab.ask()
    async with lab.database.reading() as session:
        known = await needs.learned(session)
        standing = await needs.load(session, here, known)
    assert [each.is_building for each in standing.held] == [False]
    assert await claim(lab, here) is not None  # claimed, and nothing of it is there yet
    async with lab.database.reading() as session:
        both = await needs.load(session, here, known)
    assert sorted(each.is_building for each in both.held) == [False, True]
    assert both.memory == 2 * NODE_BYTES
    assert (await lab.cluster(waiting)).phase is Phase.PENDING
    async with lab.database.transaction() as session:
        await session.execute(text("UPDATE jobs SET state = 'done' WHERE state = 'running'"))
    async with lab.database.reading() as session:
        assert len((await needs.load(session, here, known)).held) == 1
