"""Creates that fail, hang or are not wanted any more: explained, bounded, cleaned up."""

import asyncio
import itertools
import os
from pathlib import Path
from uuid import UUID

import pytest

from pyk8s.wire.cluster import Phase, Step
from pyk8s.wire.events import LogLineEvent, LogTruncatedEvent, NoteEvent, StepFinishedEvent
from server.drivers.base import Access, AttemptSpec, Command, DriverError, Explanation
from server.drivers.simulated import SimulatedDriver
from server.provisioner import worker
from server.provisioner.batch import Batch
from server.provisioner.recorder import Recorder
from server.provisioner.workshop import Deadlines
from tests.integration.provisioner.conftest import Lab, eventually


async def all_done(lab: Lab) -> None:
    async def none_open() -> bool:
        return bool(await lab.scalar("SELECT count(*) = 0 FROM jobs WHERE state <> 'done'"))

    await eventually(none_open)


def processes_in(directory: Path) -> list[str]:
    """List the commands of all processes that have a path of this test in their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(directory) in command:
            found.append(command.decode(errors="replace"))
    return found


async def test_a_failed_start_is_explained_with_its_lines(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate="fail-start")
    async with lab.running():
        cluster = await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
    assert cluster.failure is not None
    assert cluster.failure.code == "image_missing"
    texts = {
        event.seq: event.data.text
        for event in await lab.events(cluster_id)
        if isinstance(event, LogLineEvent)
    }
    assert cluster.failure.evidence
    for line in cluster.failure.evidence:
        assert texts[line.seq] == line.text
    assert cluster.conditions[0].reason == "ImageMissing"
    assert await lab.driver.list_attempts() == []
    assert list((lab.data_dir / "attempts").glob("*-*")) == []


async def test_a_late_failure_ends_its_step_and_removes_the_pieces(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate="fail-late")
    async with lab.running():
        await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
    ended = [
        (event.data.step, event.data.outcome)
        for event in await lab.events(cluster_id)
        if isinstance(event, StepFinishedEvent)
    ]
    assert ended[-1] == (Step.STORAGE, "failed")
    assert await lab.driver.list_attempts() == []


async def test_an_unknown_scenario_says_which_there_are(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate="nonsense")
    async with lab.running():
        cluster = await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
    assert cluster.failure is not None
    assert "fail-late" in cluster.failure.fix


async def test_a_hang_is_ended_at_its_deadline(lab: Lab) -> None:
    lab.deadlines = Deadlines(steps={}, step=1.0, silence=5.0, grace=0.5)
    cluster_id = await lab.ask(simulate="hang")
    async with lab.running():
        cluster = await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
    assert cluster.failure is not None
    assert cluster.failure.code == "step_timeout"
    assert "control_plane" in cluster.failure.cause
    assert processes_in(lab.data_dir) == []
    assert await lab.driver.list_attempts() == []


async def test_a_delete_in_the_middle_ends_the_create(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate="hang")
    async with lab.running():
        await lab.has_line(cluster_id, " • Starting control-plane")
        assert processes_in(lab.data_dir)
        await lab.ask_to_delete(cluster_id)
        await lab.reaches(cluster_id, Phase.DELETED)
        await all_done(lab)
    assert processes_in(lab.data_dir) == []
    assert await lab.driver.list_attempts() == []
    outcomes = await lab.scalar("SELECT array_agg(outcome ORDER BY created_at) FROM jobs")
    assert outcomes == ["cancelled", "succeeded"]


async def test_a_ready_cluster_is_deleted_and_its_way_in_forgotten(lab: Lab) -> None:
    cluster_id = await lab.ask()
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
        await lab.ask_to_delete(cluster_id)
        await lab.reaches(cluster_id, Phase.DELETED)
    assert await lab.scalar("SELECT count(*) FROM cluster_access") == 0
    assert await lab.driver.list_attempts() == []


async def test_a_delete_before_the_create_has_begun(lab: Lab) -> None:
    cluster_id = await lab.ask()
    await lab.ask_to_delete(cluster_id)
    async with lab.running():
        await lab.reaches(cluster_id, Phase.DELETED)
        await all_done(lab)
    assert await lab.scalar("SELECT count(*) FROM attempts") == 0


async def test_a_flood_is_recorded_line_by_line(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    commit = Recorder._commit

    async def counted(recorder: Recorder, batch: Batch, state: dict[str, object]) -> None:
        commits.append(batch.count)
        await commit(recorder, batch, state)

    monkeypatch.setattr(Recorder, "_commit", counted)
    cluster_id = await lab.ask(simulate="flood:20000:0")
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY, seconds=60)
    numbers = [
        int(line.rpartition("#")[2]) for line in await lab.lines(cluster_id) if "flood.go" in line
    ]
    assert numbers == list(range(1, 20001))
    assert sum(commits) > 20_000
    assert len(commits) < 500


async def test_beyond_the_cap_the_log_ends_and_the_create_goes_on(lab: Lab) -> None:
    lab.log_cap_bytes = 20_000
    cluster_id = await lab.ask(simulate="flood:20000:0")
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY, seconds=60)
    events = await lab.events(cluster_id)
    truncated = [event for event in events if isinstance(event, LogTruncatedEvent)]
    kept = sum(len(event.data.text) + 1 for event in events if isinstance(event, LogLineEvent))
    assert [event.data.cap_bytes for event in truncated] == [10_000]
    assert 9_000 < kept <= 10_000 + 100, "and a line that the server says itself"
    steps = [event.data.step for event in events if isinstance(event, StepFinishedEvent)]
    assert steps[-1] is Step.ACCESS
    assert len(steps) == 7


async def caps_of(lab: Lab, cluster_id: UUID) -> list[int]:
    """Return after how many bytes the log of each try was cut off."""
    events = await lab.events(cluster_id)
    return [each.data.cap_bytes for each in events if isinstance(each, LogTruncatedEvent)]


async def kept_bytes(lab: Lab, cluster_id: UUID) -> int:
    events = await lab.events(cluster_id)
    return sum(len(event.data.text) + 1 for event in events if isinstance(event, LogLineEvent))


async def test_a_flood_that_is_cancelled_and_tried_again_fills_no_disk(lab: Lab) -> None:
    lab.log_cap_bytes = 64_000
    cluster_id = await lab.ask(simulate="flood:99999999:0")
    async with lab.running():
        for tries in range(1, 7):

            async def is_cut_off(tries: int = tries) -> bool:
                return len(await caps_of(lab, cluster_id)) == tries

            await eventually(is_cut_off)
            await lab.cancel(cluster_id)
            await lab.reaches(cluster_id, Phase.FAILED)
            await all_done(lab)
            if tries < 6:
                await lab.retry(cluster_id)
    caps = await caps_of(lab, cluster_id)
    assert caps[0] == 32_000
    assert all(later < earlier for earlier, later in itertools.pairwise(caps))
    assert caps[-1] >= 1000, "the last try has a log too"
    assert sum(caps) < 64_000
    assert await kept_bytes(lab, cluster_id) < sum(caps) + 6 * 500, "what the server says itself"


async def test_one_flood_after_the_other_of_a_user_fills_no_disk_either(lab: Lab) -> None:
    lab.log_cap_bytes = 8_000
    asked = []
    async with lab.running():
        for _ in range(10):
            asked.append(await lab.ask(simulate="flood:1000:0"))
            await lab.reaches(asked[-1], Phase.READY, seconds=60)
    caps = [cap for cluster_id in asked for cap in await caps_of(lab, cluster_id)]
    assert caps[:8] == [4_000] * 8
    assert sum(caps) <= 4 * 8_000 + 8 * 200, "a line that does not fit leaves a little"
    assert max(caps[8:]) < 1000


async def test_not_more_creates_at_a_time_than_allowed(lab: Lab) -> None:
    lab.max_creates = 1
    asked = [await lab.ask(), await lab.ask(), await lab.ask()]
    async with lab.running():
        for cluster_id in asked:
            await lab.reaches(cluster_id, Phase.READY)
    overlapping = await lab.scalar(
        """
        SELECT count(*) FROM attempts a JOIN attempts b
        ON a.id <> b.id AND a.started_at BETWEEN b.started_at AND b.finished_at
        """
    )
    assert overlapping == 0


class StubbornDriver(SimulatedDriver):
    """Cannot remove anything at the first time."""

    refused = 0

    async def delete(self, attempt_id: UUID, directory: Path) -> None:
        if self.refused == 0:
            self.refused += 1
            raise DriverError(
                Explanation(code="stuck", title="Docker is busy", cause="it sleeps", fix="wake it")
            )
        await super().delete(attempt_id, directory)


async def test_what_cannot_be_removed_is_tried_again_and_the_user_is_told(lab: Lab) -> None:
    driver = StubbornDriver(lab.data_dir / "simulated", speed=lab.speed)
    lab.make_driver = lambda: driver
    cluster_id = await lab.ask()
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
        await lab.ask_to_delete(cluster_id)
        await lab.reaches(cluster_id, Phase.DELETED)
    notes = [e.data.text for e in await lab.events(cluster_id) if isinstance(e, NoteEvent)]
    assert notes == ["Docker is busy: it sleeps. Tried again in 2 s. What helps: wake it"]
    assert await driver.list_attempts() == []


class SilentDriver(SimulatedDriver):
    """Its clusters never answer, whatever the process said."""

    async def finish(self, spec: AttemptSpec) -> Access:
        await asyncio.Event().wait()
        return await super().finish(spec)


async def test_a_cluster_that_does_not_answer_is_not_ready_whatever_the_process_said(
    lab: Lab,
) -> None:
    lab.make_driver = lambda: SilentDriver(lab.data_dir / "simulated", speed=lab.speed)
    lab.deadlines = Deadlines(finish=0.3)
    cluster_id = await lab.ask()
    async with lab.running():
        cluster = await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
    assert cluster.failure is not None
    assert cluster.failure.code == "not_answering"
    ended = [
        (event.data.step, event.data.outcome)
        for event in await lab.events(cluster_id)
        if isinstance(event, StepFinishedEvent)
    ]
    assert ended[-1] == (Step.ACCESS, "failed")
    assert await lab.driver.list_attempts() == []


async def test_a_defect_of_ours_is_given_up_in_the_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BrokenDriver(SimulatedDriver):
        async def prepare(self, spec: AttemptSpec) -> Command:
            raise ZeroDivisionError

    monkeypatch.setattr(worker, "MAX_PAUSE_SECONDS", 0.05)
    lab.make_driver = lambda: BrokenDriver(lab.data_dir / "simulated")
    cluster_id = await lab.ask()
    async with lab.running():
        cluster = await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
    assert cluster.failure is not None
    assert cluster.failure.code in {"internal", "runner_lost"}
    assert await lab.driver.list_attempts() == []


async def test_a_host_that_cannot_write_is_named(lab: Lab) -> None:
    class FullDriver(SimulatedDriver):
        async def prepare(self, spec: AttemptSpec) -> Command:
            raise OSError(28, "No space left on device", str(spec.directory))

    lab.make_driver = lambda: FullDriver(lab.data_dir / "simulated")
    cluster_id = await lab.ask()
    async with lab.running():
        cluster = await lab.reaches(cluster_id, Phase.FAILED)
    assert cluster.failure is not None
    assert cluster.failure.code == "host_error"
    assert cluster.failure.cause.startswith("No space left on device: ")
