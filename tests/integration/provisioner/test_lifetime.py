"""Cancel and retry: at every point, one after the other, and while the other still works."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
import uuid_utils.compat as uuids

from pyk8s.wire.cluster import Phase, Step
from pyk8s.wire.events import StepStartedEvent
from server.drivers.base import Access, AttemptSpec, DriverError, Explanation
from server.drivers.kind_output import plan
from server.drivers.simulated import SimulatedDriver
from server.errors import PhaseConflict
from server.provisioner import worker
from server.store import jobs
from tests.integration.provisioner.conftest import Lab, eventually
from tests.integration.provisioner.test_failures import all_done, processes_in

STEPS = plan(control_planes=1, workers=1, is_tuned=True)


async def nothing_left(lab: Lab) -> None:
    """Wait until nothing is left of anything."""

    async def gone() -> bool:
        pieces = [*await lab.driver.list_attempts(), *(lab.data_dir / "attempts").glob("*-*")]
        return not pieces and not processes_in(lab.data_dir)

    await eventually(gone)
    await all_done(lab)
    assert await lab.scalar("SELECT count(*) FROM attempts WHERE removed_at IS NULL") == 0


async def job_outcomes(lab: Lab) -> list[str]:
    found: list[str] = await lab.scalar("SELECT array_agg(outcome ORDER BY created_at) FROM jobs")
    return found


class Slow(SimulatedDriver):
    """Its last step and its removals wait until they are let through."""

    def __init__(self, pieces: Path, speed: float) -> None:
        super().__init__(pieces, speed=speed)
        self.may_finish = asyncio.Event()
        self.may_delete = asyncio.Event()
        self.deleting: list[UUID] = []
        self.is_broken = False

    async def finish(self, spec: AttemptSpec) -> Access:
        await self.may_finish.wait()
        return await super().finish(spec)

    async def delete(self, attempt_id: UUID, directory: Path) -> None:
        self.deleting.append(attempt_id)
        await self.may_delete.wait()
        if self.is_broken:
            raise DriverError(Explanation(code="away", title="Away", cause="a test", fix="wait"))
        await super().delete(attempt_id, directory)


@pytest.fixture
def slow(lab: Lab) -> Slow:
    driver = Slow(lab.data_dir / "simulated", lab.speed)
    lab.make_driver = lambda: driver
    return driver


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_in_each_step(lab: Lab, step: Step) -> None:
    lab.speed = 4.0
    slow = Slow(lab.data_dir / "simulated", lab.speed)  # it never gets ready before the cancel
    slow.may_delete.set()
    lab.make_driver = lambda: slow
    cluster_id = await lab.ask()
    async with lab.running():

        async def begun() -> bool:
            events = await lab.events(cluster_id)
            return any(isinstance(e, StepStartedEvent) and e.data.step is step for e in events)

        if step is not Step.WORKERS:  # there are none
            await eventually(begun)
        cancelled = await lab.cancel(cluster_id)
        assert cancelled.phase is Phase.FAILED
        assert cancelled.failure is not None
        assert cancelled.failure.code == "cancelled"
        assert (cancelled.conditions[0].status, cancelled.conditions[0].reason) == (
            "False",
            "Cancelled",
        )
        await nothing_left(lab)
        assert await job_outcomes(lab) == ["cancelled"]
        assert (await lab.cluster(cluster_id)).phase is Phase.FAILED
        with pytest.raises(PhaseConflict):
            await lab.cancel(cluster_id)


async def test_a_cancel_before_anybody_began(lab: Lab) -> None:
    cluster_id = await lab.ask()
    await lab.cancel(cluster_id)
    assert await job_outcomes(lab) == ["cancelled"]
    async with lab.running():
        await nothing_left(lab)
        assert (await lab.cluster(cluster_id)).phase is Phase.FAILED
        await eventually(lambda: lab.scalar("SELECT count(*) FROM hosts"))
        await lab.retry(cluster_id)
        cluster = await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
    assert cluster.failure is None
    assert await job_outcomes(lab) == ["cancelled", "succeeded"]


async def test_what_is_ready_cannot_be_cancelled_or_tried_again(lab: Lab) -> None:
    cluster_id = await lab.ask()
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
        for command in (lab.cancel, lab.retry):
            with pytest.raises(PhaseConflict) as refused:
                await command(cluster_id)
            assert refused.value.actual == "ready"
    assert len(await lab.driver.list_attempts()) == 1


async def test_a_retry_is_a_new_attempt_under_a_new_name(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate="fail-late")
    async with lab.running():
        await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
        assert (await lab.retry(cluster_id)).phase is Phase.PENDING
        with pytest.raises(PhaseConflict):
            await lab.retry(cluster_id)
        await all_done(lab)
        assert (await lab.cluster(cluster_id)).phase is Phase.FAILED
    assert await job_outcomes(lab) == ["failed", "failed"]
    assert await lab.scalar("SELECT count(*) FROM attempts") == 2


async def test_a_retry_while_the_failed_one_is_removed(lab: Lab, slow: Slow) -> None:
    cluster_id = await lab.ask(simulate="fail-start")
    slow.may_finish.set()
    async with lab.running():
        await lab.reaches(cluster_id, Phase.FAILED)
        await eventually(lambda: _true(slow.deleting))
        await lab.retry(cluster_id)
        # The old job goes on with its removal, and builds nothing more.
        assert await lab.scalar("SELECT count(*) FROM attempts") == 1
        slow.may_delete.set()
        await all_done(lab)
        assert (await lab.cluster(cluster_id)).phase is Phase.FAILED
    assert await job_outcomes(lab) == ["failed", "failed"]
    assert await lab.scalar("SELECT count(*) FROM attempts") == 2
    await nothing_left(lab)


async def test_a_retry_does_not_wait_for_a_removal_that_was_put_off(
    lab: Lab, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_PAUSE_SECONDS", 1.0)
    cluster_id = await lab.ask(simulate="hang")
    slow.may_finish.set()
    slow.may_delete.set()
    slow.is_broken = True
    async with lab.running():
        await lab.has_line(cluster_id, " • Starting control-plane")
        await lab.cancel(cluster_id)
        put_off = "SELECT count(*) FROM jobs WHERE state = 'queued' AND tries > 0"
        await eventually(lambda: lab.scalar(put_off))
        await lab.execute("UPDATE clusters SET labels = '{}'")  # this time it does not hang
        await lab.retry(cluster_id)
        slow.is_broken = False
        await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
    assert await job_outcomes(lab) == ["cancelled", "succeeded"]
    (found,) = await lab.driver.list_attempts()
    newest = await lab.scalar("SELECT id FROM attempts ORDER BY number DESC LIMIT 1")
    assert found.attempt_id == newest


async def test_a_cancel_and_a_retry_at_once_leave_one_cluster(lab: Lab, slow: Slow) -> None:
    slow.may_delete.set()
    cluster_id = await lab.ask()
    async with lab.running():

        async def in_access() -> bool:
            progress = (await lab.cluster(cluster_id)).progress
            return progress is not None and progress.step is Step.ACCESS

        await eventually(in_access)
        await lab.cancel(cluster_id)
        await lab.retry(cluster_id)
        slow.may_finish.set()  # the cancelled one would be ready at this very moment
        await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
    assert await job_outcomes(lab) == ["cancelled", "succeeded"]
    assert len(await lab.driver.list_attempts()) == 1


async def test_a_job_that_finds_the_cluster_ready_is_closed(lab: Lab) -> None:
    cluster_id = await lab.ask()
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
        async with lab.database.transaction() as session:
            await jobs.enqueue(session, cluster_id, "create", job_id=uuids.uuid7())
        await all_done(lab)
        assert (await lab.cluster(cluster_id)).phase is Phase.READY


async def _true(value: object) -> bool:
    return bool(value)
