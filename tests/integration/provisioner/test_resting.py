"""Pausing and waking on a real PostgreSQL, with a driver that can be made to fail."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from pyk8s.wire.cluster import USABLE, Cluster, Phase
from pyk8s.wire.events import PhaseChangedEvent
from pyk8s.wire.facts import PhaseChanged
from server.admission import Space
from server.commands import resting
from server.drivers.base import DriverError, Explanation
from server.drivers.simulated import SimulatedDriver
from server.errors import NotReady, PhaseConflict
from server.kube.waking import Waker
from server.provisioner import line, worker
from server.store import event_log
from tests.integration.provisioner.conftest import Lab, eventually
from tests.integration.provisioner.test_failures import all_done

NO = Explanation(code="docker_refused", title="No", cause="Docker is busy", fix="wait")


class Drowsy(SimulatedDriver):
    """Fails as often as it is told to."""

    def __init__(self, pieces: Path, speed: float) -> None:
        super().__init__(pieces, speed=speed)
        self.pauses_to_fail = 0
        self.wakes_to_fail = 0
        self.pauses = 0

    async def pause(self, attempt_id: UUID) -> None:
        self.pauses += 1
        if self.pauses_to_fail:
            self.pauses_to_fail -= 1
            raise DriverError(NO)
        await super().pause(attempt_id)

    async def wake(self, attempt_id: UUID, kubeconfig: str, *, with_nodes: bool = False) -> None:
        if self.wakes_to_fail:
            self.wakes_to_fail -= 1
            raise DriverError(NO)
        await super().wake(attempt_id, kubeconfig, with_nodes=with_nodes)


@pytest.fixture
def driver(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Drowsy:
    monkeypatch.setattr(worker, "MAX_PAUSE_SECONDS", 0.5)
    made = Drowsy(lab.data_dir / "simulated", lab.speed)
    lab.make_driver = lambda: made
    return made


async def pause(lab: Lab, cluster_id: UUID) -> Cluster:
    return await resting.pause_cluster(lab.database, owner_id=lab.owner_id, id_or_name=cluster_id)


async def resume(lab: Lab, cluster_id: UUID) -> Cluster:
    return await resting.resume_cluster(lab.database, owner_id=lab.owner_id, id_or_name=cluster_id)


async def ready(lab: Lab) -> UUID:
    cluster_id = await lab.ask()
    await lab.reaches(cluster_id, Phase.READY)
    await all_done(lab)
    return cluster_id


async def states(driver: Drowsy) -> set[str]:
    return {state for found in await driver.list_attempts() for state in found.nodes.values()}


async def moves(lab: Lab, cluster_id: UUID) -> list[tuple[Phase, str]]:
    return [
        (event.data.to, event.data.reason)
        for event in await lab.events(cluster_id)
        if isinstance(event, PhaseChangedEvent) and event.data.to in USABLE
    ][1:]


async def test_it_is_frozen_and_goes_on_and_says_so(lab: Lab, driver: Drowsy) -> None:
    async with lab.running():
        cluster_id = await ready(lab)
        assert (await pause(lab, cluster_id)).phase is Phase.READY
        paused = await lab.reaches(cluster_id, Phase.PAUSED)
        await all_done(lab)
        assert await states(driver) == {"paused"}
        assert (paused.conditions[0].status, paused.conditions[0].reason) == ("False", "Paused")
        assert (await pause(lab, cluster_id)).phase is Phase.PAUSED
        assert await lab.scalar("SELECT count(*) FROM jobs WHERE kind = 'pause'") == 1
        await asyncio.sleep(5 * lab.sweep_seconds)
        assert (await lab.cluster(cluster_id)).last_seq == paused.last_seq, "sweeps say nothing"
        await resume(lab, cluster_id)
        await resume(lab, cluster_id)
        awake = await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
    assert (awake.conditions[0].status, awake.conditions[0].reason) == ("True", "Resumed")
    assert awake.ready_at == paused.ready_at
    assert awake.expires_at == paused.expires_at
    assert await states(driver) == {"running"}
    assert await lab.scalar("SELECT count(*) FROM jobs WHERE kind = 'wake'") == 1
    assert await moves(lab, cluster_id) == [
        (Phase.PAUSED, "PauseRequested"),
        (Phase.READY, "ResumeRequested"),
    ]


async def test_a_pause_that_fails_is_tried_again(lab: Lab, driver: Drowsy) -> None:
    driver.pauses_to_fail = 2
    async with lab.running():
        cluster_id = await ready(lab)
        await pause(lab, cluster_id)
        await lab.reaches(cluster_id, Phase.PAUSED)
        await all_done(lab)
    assert driver.pauses == 3
    assert await states(driver) == {"paused"}


async def test_who_wakes_a_cluster_before_it_was_frozen_keeps_it_awake(
    lab: Lab, driver: Drowsy
) -> None:
    driver.pauses_to_fail = 1
    async with lab.running():
        cluster_id = await ready(lab)
        await pause(lab, cluster_id)
        await lab.reaches(cluster_id, Phase.PAUSED)
        await resume(lab, cluster_id)
        await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
    assert (await lab.cluster(cluster_id)).phase is Phase.READY
    assert await states(driver) == {"running"}
    assert driver.pauses == 1


async def test_a_server_that_died_in_the_middle_of_a_pause_leaves_it_to_the_next(
    lab: Lab, driver: Drowsy
) -> None:
    async with lab.running():
        cluster_id = await ready(lab)
    await pause(lab, cluster_id)
    said = PhaseChanged(from_=Phase.READY, to=Phase.PAUSED, reason="PauseRequested")
    async with lab.database.transaction() as session:
        await event_log.append(session, cluster_id, [event_log.Draft(said)])
    await lab.execute(
        "UPDATE jobs SET state = 'running', tries = 1, fence = 1, lease_until = now(), "
        "claimed_by = 'dead' WHERE kind = 'pause'"
    )
    assert await states(driver) == {"running"}
    async with lab.running():
        await all_done(lab)
    assert await states(driver) == {"paused"}
    assert await moves(lab, cluster_id) == [(Phase.PAUSED, "PauseRequested")]


async def test_a_wake_that_fails_is_told_and_tried_again(lab: Lab, driver: Drowsy) -> None:
    driver.wakes_to_fail = 1
    async with lab.running():
        cluster_id = await ready(lab)
        await pause(lab, cluster_id)
        await lab.reaches(cluster_id, Phase.PAUSED)
        await Waker(lab.database, seconds=20).awake(cluster_id)
        await all_done(lab)
    told = [event.data for event in await lab.events(cluster_id) if event.type == "note"]
    assert any("Docker is busy" in note.text for note in told if hasattr(note, "text"))
    assert (await moves(lab, cluster_id))[-1] == (Phase.READY, "Used")


async def test_what_sleeps_can_be_deleted(lab: Lab, driver: Drowsy) -> None:
    async with lab.running():
        cluster_id = await ready(lab)
        await pause(lab, cluster_id)
        await lab.reaches(cluster_id, Phase.PAUSED)
        await lab.ask_to_delete(cluster_id)
        await lab.reaches(cluster_id, Phase.DELETED)
        await all_done(lab)
    assert await driver.list_attempts() == []


async def test_many_who_wake_one_cluster_ask_for_it_once(lab: Lab, driver: Drowsy) -> None:
    async with lab.running():
        cluster_id = await ready(lab)
        waker = Waker(lab.database)
        await waker.awake(cluster_id)
        assert await lab.scalar("SELECT count(*) FROM jobs WHERE kind = 'wake'") == 0
        await pause(lab, cluster_id)
        await lab.reaches(cluster_id, Phase.PAUSED)
        await asyncio.gather(*(waker.awake(cluster_id) for _ in range(20)))
        await all_done(lab)
    assert await lab.scalar("SELECT count(*) FROM jobs WHERE kind = 'wake'") == 1
    assert await states(driver) == {"running"}


async def test_what_is_not_up_neither_sleeps_nor_wakes(lab: Lab, driver: Drowsy) -> None:
    cluster_id = await lab.ask()
    with pytest.raises(PhaseConflict):
        await pause(lab, cluster_id)
    with pytest.raises(PhaseConflict):
        await resume(lab, cluster_id)
    with pytest.raises(NotReady, match="pending"):
        await Waker(lab.database).awake(cluster_id)
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
        await pause(lab, cluster_id)
        await eventually(lambda: _is_paused(lab, cluster_id))
    with pytest.raises(NotReady, match="not awake after"):
        await Waker(lab.database, seconds=0.3).awake(cluster_id)


async def _is_paused(lab: Lab, cluster_id: UUID) -> bool:
    return (await lab.cluster(cluster_id)).phase is Phase.PAUSED


async def test_a_machine_that_takes_long_to_be_measured_holds_up_no_wake(
    lab: Lab, driver: Drowsy, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab.running():
        cluster_id = await ready(lab)
        await pause(lab, cluster_id)
        await lab.reaches(cluster_id, Phase.PAUSED)
        await all_done(lab)
        is_asked = asyncio.Event()

        async def for_long() -> Space:
            is_asked.set()
            await asyncio.sleep(3600)
            raise AssertionError

        monkeypatch.setattr(driver, "space", for_long)
        monkeypatch.setattr(line, "SPACE_SECONDS", 3600.0)
        await lab.ask()
        await asyncio.wait_for(is_asked.wait(), 20)
        await Waker(lab.database, seconds=20).awake(cluster_id)
