"""The drivers under the contract.

driver        each driver in turn; real kind is skipped, with the reason, where it cannot run
"""

import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from server.drivers.base import Driver, DriverError
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.simulated import SimulatedDriver


def why_no_kind() -> str | None:
    """Say why real kind cannot run here, or nothing."""
    for program in ("kind", "docker"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    asked = subprocess.run(
        ["docker", "image", "ls", "-q", "kindest/node"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if asked.returncode != 0:
        return f"Docker does not answer: {asked.stderr.strip()}"
    if not asked.stdout.strip():
        return "no kindest/node image is on this host"
    return None


@pytest.fixture(params=["simulated", pytest.param("kind", marks=pytest.mark.docker)])
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    made: Driver
    if request.param == "simulated":
        made = SimulatedDriver(tmp_path / "pieces", speed=100)
    else:
        reason = why_no_kind()
        if reason is not None:
            pytest.skip(reason)
        made = KindDriver(KindOptions(instance=f"test-{uuid4().hex[:12]}"))
    yield made
    try:
        for found in await made.list_attempts():
            await made.delete(found.attempt_id, tmp_path / "left")
    except DriverError:
        pass
    await made.close()
