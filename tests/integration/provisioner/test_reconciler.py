"""What should exist against what does: orphans go, lost nodes are told of, nothing else happens."""

import asyncio
import json
import shutil
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from uuid import UUID

import anyio
import pytest
import uuid_utils.compat as uuids

from pyk8s.wire.cluster import Condition, Phase
from server.drivers.base import Command, DriverError, Explanation, Found, kind_name
from server.drivers.simulated import SimulatedDriver
from server.provisioner import launch, reconciler
from tests.integration.provisioner.conftest import Lab, eventually
from tests.integration.provisioner.test_failures import all_done, processes_in


class Watched(SimulatedDriver):
    """Counts how often it is asked, and can be away or hang."""

    def __init__(self, pieces: Path, speed: float) -> None:
        super().__init__(pieces, speed=speed)
        self.sweeps = 0
        self.is_away = False
        self.hangs = False
        self.is_silent = False
        self.deleted: list[UUID] = []
        self.forgotten: list[str] = []
        self.kept_reachable: list[UUID] = []

    async def keep_reachable(self, attempt_ids: Collection[UUID]) -> None:
        self.kept_reachable = list(attempt_ids)
        if self.is_silent:
            raise DriverError(
                Explanation(code="docker_refused", title="No", cause="no network", fix="wait")
            )

    async def list_attempts(self, known: Collection[UUID] = ()) -> Sequence[Found]:
        self.sweeps += 1
        if self.hangs:
            await asyncio.sleep(3600)
        if self.is_away:
            raise DriverError(
                Explanation(code="docker_unreachable", title="Away", cause="no socket", fix="start")
            )
        return await super().list_attempts(known)

    async def delete(self, attempt_id: UUID, directory: Path) -> None:
        self.deleted.append(attempt_id)
        await super().delete(attempt_id, directory)

    async def forget_access(self, directory: Path) -> None:
        self.forgotten.append(directory.name)

    async def answers(self, attempt_id: UUID, kubeconfig: str) -> bool:
        return not self.is_silent and await super().answers(attempt_id, kubeconfig)

    async def more_sweeps(self, count: int = 3) -> None:
        until = self.sweeps + count

        async def swept() -> bool:
            return self.sweeps >= until

        await eventually(swept)


@pytest.fixture
def driver(lab: Lab) -> Watched:
    made = Watched(lab.data_dir / "simulated", lab.speed)
    lab.make_driver = lambda: made
    return made


def pieces_of(lab: Lab, attempt_id: UUID) -> Path:
    return lab.data_dir / "simulated" / kind_name(attempt_id)


def make_orphan(lab: Lab, attempt_id: UUID) -> Path:
    path = pieces_of(lab, attempt_id)
    path.mkdir(parents=True)
    (path / "network.json").write_text("{}")
    (path / "control-plane.json").write_text(json.dumps({"container": "x"}))
    return path


async def ready_cluster(lab: Lab) -> tuple[UUID, UUID]:
    cluster_id = await lab.ask()
    await lab.reaches(cluster_id, Phase.READY)
    await all_done(lab)
    attempt_id = await lab.scalar("SELECT id FROM attempts WHERE cluster_id = :id", id=cluster_id)
    return cluster_id, attempt_id


async def has_reason(lab: Lab, cluster_id: UUID, reason: str, seconds: float = 20) -> Condition:
    async def said() -> Condition | None:
        (condition,) = (await lab.cluster(cluster_id)).conditions
        return condition if condition.reason == reason else None

    found: Condition = await eventually(said, seconds)
    return found


async def test_orphans_go_and_what_is_not_ours_stays(lab: Lab, driver: Watched) -> None:
    orphan = make_orphan(lab, uuids.uuid7())
    foreign = lab.data_dir / "simulated" / "pyk8s-of-somebody-else"
    foreign.mkdir()
    own_file = lab.data_dir / "attempts" / "notes"
    own_file.mkdir(parents=True)
    async with lab.running():
        _, kept = await ready_cluster(lab)
        await eventually(lambda: _gone(orphan))
        await driver.more_sweeps()
    assert foreign.exists()
    assert own_file.exists()
    assert kept not in driver.deleted
    assert [found.attempt_id for found in await driver.list_attempts()] == [kept]


async def test_what_is_stored_does_not_stay_on_the_disk_also_after_a_crash(
    lab: Lab, driver: Watched
) -> None:
    lab.sweep_seconds = 3600
    async with lab.running():
        _, attempt_id = await ready_cluster(lab)

        async def is_forgotten() -> bool:
            return driver.forgotten == [str(attempt_id)]

        await eventually(is_forgotten)
    driver.forgotten.clear()  # as if the server had ended right before
    async with lab.running():
        await eventually(is_forgotten)


async def test_nothing_is_removed_at_first_sight(lab: Lab, driver: Watched) -> None:
    lab.sweep_seconds = 3600
    orphan = make_orphan(lab, uuids.uuid7())
    async with lab.running():
        await driver.more_sweeps(1)
        await ready_cluster(lab)
    assert orphan.exists()
    assert driver.deleted == []


async def test_what_is_younger_than_a_running_create_stays(lab: Lab, driver: Watched) -> None:
    old = make_orphan(lab, uuids.uuid7())
    cluster_id = await lab.ask(simulate="hang")
    async with lab.running():
        await lab.has_line(cluster_id, " • Starting control-plane")
        young = make_orphan(lab, uuids.uuid7())
        await eventually(lambda: _gone(old))
        await driver.more_sweeps()
        assert young.exists()
        await lab.cancel(cluster_id)
        await eventually(lambda: _gone(young))


async def test_stragglers_of_a_removed_attempt_go(lab: Lab, driver: Watched) -> None:
    cluster_id = await lab.ask(simulate="fail-start")
    async with lab.running():
        await lab.reaches(cluster_id, Phase.FAILED)
        await all_done(lab)
        attempt_id = await lab.scalar("SELECT id FROM attempts")
        straggler = make_orphan(lab, attempt_id)
        await eventually(lambda: _gone(straggler))


async def test_a_directory_and_its_process_that_nobody_knows_go(lab: Lab, driver: Watched) -> None:
    directory = lab.data_dir / "attempts" / str(uuids.uuid7())
    directory.mkdir(parents=True)
    sleeper = [sys.executable, "-c", f"import time; time.sleep(600)  # {directory}"]
    launch.start(directory, Command(sleeper, {}, directory), spool_cap_bytes=1_000_000)
    await eventually(lambda: _true(len(processes_in(directory)) == 2))
    async with lab.running():
        await eventually(lambda: _gone(directory))
    assert processes_in(directory) == []


async def test_gone_nodes_are_told_of_and_delete_still_works(lab: Lab, driver: Watched) -> None:
    async with lab.running():
        cluster_id, attempt_id = await ready_cluster(lab)
        shutil.rmtree(pieces_of(lab, attempt_id))
        cluster = await lab.reaches(cluster_id, Phase.FAILED)
        assert cluster.failure is not None
        assert cluster.failure.code == "nodes_gone"
        assert (cluster.conditions[0].status, cluster.conditions[0].reason) == (
            "False",
            "NodesGone",
        )
        await lab.ask_to_delete(cluster_id)
        await lab.reaches(cluster_id, Phase.DELETED)


async def test_gone_nodes_are_made_again_by_a_retry(lab: Lab, driver: Watched) -> None:
    async with lab.running():
        cluster_id, attempt_id = await ready_cluster(lab)
        (pieces_of(lab, attempt_id) / "control-plane.json").unlink()
        await lab.reaches(cluster_id, Phase.FAILED)
        await lab.retry(cluster_id)
        cluster = await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
        assert cluster.conditions[0].status == "True"
    (found,) = await driver.list_attempts()
    assert found.attempt_id != attempt_id


async def test_stopped_nodes_are_told_of_until_they_answer(lab: Lab, driver: Watched) -> None:
    async with lab.running():
        cluster_id, attempt_id = await ready_cluster(lab)
        node = pieces_of(lab, attempt_id) / "control-plane.json"
        running = node.read_text()
        node.write_text(json.dumps({"container": "x", "state": "exited"}))
        stopped = await has_reason(lab, cluster_id, "NodesStopped")
        assert stopped.status == "False"
        assert "control-plane" in stopped.message
        await driver.more_sweeps()
        assert driver.kept_reachable == []
        driver.is_silent = True
        node.write_text(running)
        assert (await has_reason(lab, cluster_id, "NotAnswering")).status == "Unknown"
        driver.is_silent = False
        assert (await has_reason(lab, cluster_id, "NodesRunning")).status == "True"
        assert driver.kept_reachable == [attempt_id]
        before = (await lab.cluster(cluster_id)).last_seq
        await driver.more_sweeps()
        cluster = await lab.cluster(cluster_id)
        assert cluster.phase is Phase.READY
        assert cluster.last_seq == before, "a sweep that finds nothing new says nothing"


@pytest.mark.parametrize("how", ["is_away", "hangs"])
async def test_nobody_can_look_and_then_can_again(
    lab: Lab, driver: Watched, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(reconciler, "LIST_SECONDS", 2.0)
    async with lab.running():
        cluster_id, _ = await ready_cluster(lab)
        setattr(driver, how, True)
        unknown = await has_reason(lab, cluster_id, "DockerUnreachable")
        assert unknown.status == "Unknown"
        assert (await lab.cluster(cluster_id)).phase is Phase.READY
        setattr(driver, how, False)
        assert (await has_reason(lab, cluster_id, "NodesRunning")).status == "True"
    assert driver.deleted == []


async def test_another_driver_judges_nothing(lab: Lab, driver: Watched) -> None:
    async with lab.running():
        cluster_id, attempt_id = await ready_cluster(lab)
    await lab.execute("UPDATE attempts SET driver = 'kind'")
    shutil.rmtree(pieces_of(lab, attempt_id))
    async with lab.running():
        assert (await has_reason(lab, cluster_id, "DriverAway")).status == "Unknown"
        await driver.more_sweeps()
    assert (await lab.cluster(cluster_id)).phase is Phase.READY
    assert driver.deleted == []
    assert (lab.data_dir / "attempts" / str(attempt_id)).exists()


async def test_a_cluster_without_work_gets_it_again(lab: Lab, driver: Watched) -> None:
    cluster_id = await lab.ask()
    await lab.execute("DELETE FROM jobs")
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
        await all_done(lab)
    assert await lab.scalar("SELECT count(*) FROM jobs") == 1


async def _gone(path: Path) -> bool:
    return not await anyio.Path(path).exists()


async def _true(value: bool) -> bool:
    return value
