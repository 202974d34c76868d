"""Two servers on one database and the same files; one is frozen past its leases, and thawed.

A data directory has one server. The second one has a directory of its own that leads to the files
of the first, as two mounts of one disk would.
"""

import signal
import time
from pathlib import Path
from typing import Final

import pytest

from server.store.data_lock import LOCK_NAME
from tests.faults.plays import STEPS, recorded
from tests.faults.site import ServerProcess, eventually
from tests.faults.stage import Stage, staged
from tests.ports import free_port

REPEATS: Final = [pytest.param(n, marks=[pytest.mark.long] if n >= 1 else []) for n in range(20)]
FLOOD: Final = 500
FROZEN_SECONDS: Final = 30.0
"""Twice a lease: whoever is frozen for so long has lost every job that it held."""
CREATES: Final = {
    "preparing": ("network-before", recorded()),
    "prepared": ("network-after", recorded()),
    "at-a-step": (None, recorded(after={STEPS["network"]: [["pause", "at-a-step"]]})),
    "talking": (
        None,
        recorded(after={STEPS["network"]: [["pause", "talking"], ["flood", FLOOD, 100]]}),
    ),
    "at-its-access": ("token", recorded()),
}
"""What the frozen server is doing: at which answer it waits, and what its kind plays."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("repeat", REPEATS)
async def test_a_frozen_server_comes_too_late(database_url: str, repeat: int) -> None:
    async with staged(database_url) as stage:
        second = ServerProcess(stage, free_port())
        await stage.server.start()
        await stage.sign_up()
        async with stage.no_claims():
            for purpose, (point, play) in CREATES.items():
                await stage.ask(purpose, create=play, stop_at=point)

        async def are_there() -> bool:
            return all(
                stage.is_at(stage.clusters[purpose], point or purpose)
                for purpose, (point, _) in CREATES.items()
            )

        await eventually(are_there)
        # It begins to record just before it is frozen, and goes on in the middle of a line.
        stage.let_go(stage.clusters["talking"])
        await eventually(lambda: has_lines(stage, "talking", 100))
        frozen = stage.server
        frozen.signal(signal.SIGSTOP)
        thaw_at = time.monotonic() + FROZEN_SECONDS
        try:
            await second.start(PYK8S_DATA_DIR=str(linked(stage.path)))
            await eventually(lambda: all_taken_over(stage), 60)
            stage.server = second
            stage.let_go()
            clusters = await stage.settled()
            assert {cluster["phase"] for cluster in clusters.values()} == {"ready"}
            seqs = {purpose: cluster["last_seq"] for purpose, cluster in clusters.items()}
            await eventually(lambda: is_past(thaw_at))
            frozen.signal(signal.SIGCONT)
            await eventually(lambda: has_noticed(stage, len(CREATES)))
            await stage.check_lines()
            await stage.check_nothing_left()
            # The stale server wrote nothing, and started nothing.
            after = await stage.settled()
            assert {purpose: each["last_seq"] for purpose, each in after.items()} == seqs
            assert {purpose: stage.tries(purpose) for purpose in CREATES} == dict.fromkeys(
                CREATES, 1
            )
            assert set(stage.starts().values()) == {1}
        finally:
            frozen.signal(signal.SIGCONT)
            await frozen.kill()


def linked(path: Path) -> Path:
    """Make a data directory that leads to everything that is in the first one."""
    other = path / "linked"
    other.mkdir()
    for each in (path / "data").iterdir():
        if each.name != LOCK_NAME:
            (other / each.name).symlink_to(each)
    return other


async def is_past(moment: float) -> bool:
    return time.monotonic() >= moment


async def has_lines(stage: Stage, purpose: str, lines: int) -> bool:
    cluster = await stage.get(stage.clusters[purpose])
    return bool(cluster["last_seq"] >= lines)


async def all_taken_over(stage: Stage) -> bool:
    """Tell whether every job was claimed twice, and what could not be gone on with is removed."""
    claims = await stage.database.fetchval("SELECT min(fence) FROM jobs")
    removed = await stage.database.fetchval(
        "SELECT count(*) FROM attempts WHERE removed_at IS NOT NULL"
    )
    return bool(claims >= 2 and removed >= 2)


async def has_noticed(stage: Stage, jobs: int) -> bool:
    return stage.log().count('"claim_lost"') >= jobs
