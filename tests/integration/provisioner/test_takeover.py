"""A server that dies in the middle: the create goes on, and no line is lost or doubled."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
import uuid_utils.compat as uuids
from sqlalchemy import text

from pyk8s.wire.cluster import Cluster, Phase, Step
from pyk8s.wire.events import AttemptStartedEvent, StepFinishedEvent, StepStartedEvent
from pyk8s.wire.facts import AttemptStarted, PhaseChanged
from server.drivers.kind_output import plan
from server.errors import Unavailable
from server.provisioner import launch
from server.provisioner.provisioner import facts_of, host_id_of
from server.store import attempts, event_log, hosts
from server.store.event_log import Draft
from tests.integration.provisioner.conftest import Lab, eventually

FLOOD = "flood:3000:1500"
STEPS = plan(control_planes=1, workers=0, is_tuned=True)
SERVE = Path(__file__).with_name("serve.py")


async def flood_numbers(lab: Lab, cluster_id: UUID) -> list[int]:
    lines = await lab.lines(cluster_id)
    return [int(line.rpartition("#")[2]) for line in lines if "flood.go" in line]


async def test_a_stopped_server_leaves_the_runner_and_the_next_goes_on(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate=FLOOD)
    async with lab.running():
        await lab.has_line(cluster_id, "I1123")
    recorded = len(await flood_numbers(lab, cluster_id))
    (directory,) = (lab.data_dir / "attempts").glob("*-*")
    assert launch.is_alive(directory)
    assert recorded < 3000
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
    assert await flood_numbers(lab, cluster_id) == list(range(1, 3001))
    steps = [e.data.step for e in await lab.events(cluster_id) if isinstance(e, StepStartedEvent)]
    assert steps == list(STEPS)


async def test_stopped_again_and_again_no_line_is_lost_or_doubled(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate=FLOOD)
    lives = 0
    while (await lab.cluster(cluster_id)).phase is not Phase.READY:
        lives += 1
        so_far = (await lab.cluster(cluster_id)).last_seq
        async with lab.running():
            await eventually(partial(moved_on, lab, cluster_id, so_far + 100))
    assert lives > 3
    assert await flood_numbers(lab, cluster_id) == list(range(1, 3001))
    numbers = [
        event.data.attempt
        for event in await lab.events(cluster_id)
        if isinstance(event, AttemptStartedEvent)
    ]
    assert numbers == [1]


FIRST_LINE = 5
"""After created, attempt_started, phase_changed and our own first line: the runner lives. A kill
before that loses the attempt; tests/faults has those."""


async def test_killed_at_every_step_the_create_goes_on(lab: Lab) -> None:
    lab.speed = 1.0
    cluster_id = await lab.ask()
    kills = 0
    while (await lab.cluster(cluster_id)).phase is not Phase.READY:
        so_far = (await lab.cluster(cluster_id)).last_seq
        server = await asyncio.create_subprocess_exec(
            sys.executable, str(SERVE),
            env={
                "PYTHONPATH": os.pathsep.join(sys.path),
                "URL": lab.database.url,
                "DATA_DIR": str(lab.data_dir),
                "SPEED": str(lab.speed),
            },
        )  # fmt: skip
        try:
            await eventually(partial(moved_on, lab, cluster_id, max(so_far + 2, FIRST_LINE)))
        finally:
            server.kill()
            await server.wait()
        kills += 1
    assert kills >= 4
    events = await lab.events(cluster_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    steps = [event.data.step for event in events if isinstance(event, StepStartedEvent)]
    assert [step for step in steps if step is not Step.ACCESS] == list(STEPS[:-1])
    ended = [event.data.step for event in events if isinstance(event, StepFinishedEvent)]
    assert ended == list(STEPS)
    lines = await lab.lines(cluster_id)
    assert len(lines) == len(set(lines))
    assert [e.data.attempt for e in events if isinstance(e, AttemptStartedEvent)] == [1]


async def test_what_ended_while_no_server_ran_is_recorded(lab: Lab) -> None:
    lab.speed = 1.0  # it must not be over before the server has stopped
    cluster_id = await lab.ask()
    async with lab.running():
        await lab.has_line(cluster_id, " • Preparing nodes")
    (directory,) = (lab.data_dir / "attempts").glob("*-*")

    async def is_over() -> bool:
        return not launch.is_alive(directory)

    await eventually(is_over)
    assert (await lab.cluster(cluster_id)).phase is Phase.PROVISIONING
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)


async def moved_on(lab: Lab, cluster_id: UUID, seq: int) -> bool:
    cluster = await lab.cluster(cluster_id)
    return cluster.last_seq >= seq or cluster.phase is Phase.READY


def kill_all_of(lab: Lab) -> None:
    """Do to an attempt what a crash of its machine does."""
    (directory,) = [
        path for path in (lab.data_dir / "attempts").glob("*-*") if launch.is_alive(path)
    ]
    who = json.loads((directory / "runner.json").read_text())
    for pid in (who["pid"], who["child"]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("while_running", [True, False])
async def test_a_dead_runner_means_a_second_attempt(lab: Lab, while_running: bool) -> None:
    cluster_id = await lab.ask(simulate="hang")
    async with lab.running():
        await lab.has_line(cluster_id, " • Starting control-plane")
        if while_running:
            kill_all_of(lab)
    if not while_running:
        kill_all_of(lab)
    async with lab.running():

        async def second() -> bool:
            events = await lab.events(cluster_id)
            return [
                event.data.attempt for event in events if isinstance(event, AttemptStartedEvent)
            ] == [1, 2]

        await eventually(second)
        found = await lab.driver.list_attempts()
        assert len(found) <= 1

        async def runs() -> bool:
            return any(map(launch.is_alive, (lab.data_dir / "attempts").glob("*-*")))

        await eventually(runs)
        await eventually(lambda: knows_runner(lab))
        kill_all_of(lab)
        cluster = await lab.reaches(cluster_id, Phase.FAILED)
    assert cluster.failure is not None
    assert cluster.failure.code == "runner_lost"


async def knows_runner(lab: Lab) -> bool:
    return any(
        (path / "runner.json").exists()
        for path in (lab.data_dir / "attempts").glob("*-*")
        if launch.is_alive(path)
    )


async def test_connections_that_break_lose_and_double_nothing(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate=FLOOD)
    broken = 0
    async with lab.running():
        while (await patiently(lab, cluster_id)).phase is not Phase.READY:
            before = (await patiently(lab, cluster_id)).last_seq
            with contextlib.suppress(Unavailable):
                # All but the one that asks: in the middle of whatever they are doing.
                broken += await lab.scalar(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

            async def goes_on(before: int = before) -> bool:
                cluster = await patiently(lab, cluster_id)
                return cluster.last_seq > before or cluster.phase is Phase.READY

            await eventually(goes_on)
    assert broken > 5
    assert await flood_numbers(lab, cluster_id) == list(range(1, 3001))
    events = await lab.events(cluster_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def patiently(lab: Lab, cluster_id: UUID) -> Cluster:
    """Read the cluster, again if the connection breaks meanwhile."""
    while True:
        with contextlib.suppress(Unavailable):
            return await lab.cluster(cluster_id)


async def test_a_worker_that_lost_its_claim_writes_nothing_and_ends_nothing(lab: Lab) -> None:
    cluster_id = await lab.ask(simulate=FLOOD)
    async with lab.running():
        await lab.has_line(cluster_id, "I1123")
        (directory,) = (lab.data_dir / "attempts").glob("*-*")
        async with lab.database.transaction() as session:
            # Another worker takes the job, and dies at once.
            await session.execute(
                text("UPDATE jobs SET fence = fence + 1, lease_until = now(), claimed_by = 'other'")
            )
        assert launch.is_alive(directory)
        await lab.reaches(cluster_id, Phase.READY)
    assert await lab.scalar("SELECT fence FROM jobs") == 3
    assert await flood_numbers(lab, cluster_id) == list(range(1, 3001))


async def test_a_server_that_died_before_it_started_anything(lab: Lab) -> None:
    cluster_id = await lab.ask()
    async with lab.database.transaction() as session:
        here = await hosts.announce(
            session,
            host_id=host_id_of(lab.data_dir),
            name="testhost",
            driver="simulated",
            facts=await facts_of(lab.driver),
        )
        moved = PhaseChanged(from_=Phase.PENDING, to=Phase.PROVISIONING, reason="Claimed")
        await attempts.start(
            session,
            cluster_id,
            host_id=here,
            driver="simulated",
            attempt_id=uuids.uuid7(),
            log_cap_bytes=10**9,
        )
        await event_log.append(
            session, cluster_id, [Draft(AttemptStarted(attempt=1)), Draft(moved)]
        )
    async with lab.running():
        await lab.reaches(cluster_id, Phase.READY)
    numbers = [
        event.data.attempt
        for event in await lab.events(cluster_id)
        if isinstance(event, AttemptStartedEvent)
    ]
    assert numbers == [1, 2]
    assert len(await lab.driver.list_attempts()) == 1
