"""A node's container has limits, and one cluster that takes all it can leaves the rest alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from server.admission import GIB
from server.drivers import kube_api
from server.drivers.base import Access, AttemptSpec
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.node_limits import CPU_SHARES, LimitOptions, limits_of
from tests.drivers.conftest import why_no_kind
from tests.drivers.test_contract import make_spec, run
from tests.drivers.test_docker import docker

MEMORY = GIB + GIB // 2
PIDS = 1000
SECONDS = 40.0


@pytest.mark.parametrize(
    ("options", "total", "nodes", "memory"),
    [
        (LimitOptions(), 24 * GIB, 1, 11 * GIB),
        (LimitOptions(), 26 * GIB, 3, 4 * GIB),
        (LimitOptions(), 3 * GIB, 1, GIB),
        (LimitOptions(), 1 * GIB, 1, GIB),
        (LimitOptions(memory_bytes=5 * GIB), 24 * GIB, 3, 5 * GIB),
        (LimitOptions(memory_bytes=5 * GIB), None, 1, 5 * GIB),
        (LimitOptions(), None, 1, None),
    ],
)
def test_the_limits_of_a_node(
    options: LimitOptions, total: int | None, nodes: int, memory: int | None
) -> None:
    limits = limits_of(options, memory_total=total, nodes=nodes)
    assert limits.get("Memory") == limits.get("MemorySwap") == memory
    assert (limits["PidsLimit"], limits["CpuShares"]) == (4096, CPU_SHARES)
    assert "NanoCpus" not in limits


def test_a_limit_of_processors_only_where_one_is_asked_for() -> None:
    limits = limits_of(LimitOptions(cpus=1.5), memory_total=None, nodes=1)
    assert limits["NanoCpus"] == 1_500_000_000


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[KindDriver]:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    limits = LimitOptions(memory_bytes=MEMORY, pids=PIDS)
    made = KindDriver(KindOptions(instance=f"test-{uuid4().hex[:12]}", limits=limits))
    yield made
    for found in await made.list_attempts():
        await made.delete(found.attempt_id, tmp_path / "left")
    await made.close()


async def built(driver: KindDriver, tmp_path: Path) -> tuple[AttemptSpec, Access]:
    spec = await make_spec(driver, tmp_path)
    ran = await run(await driver.prepare(spec))
    assert ran.code == 0, ran.lines
    return spec, await driver.finish(spec)


def limits_on(node: str) -> dict[str, int]:
    shown = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", node))
    return {key: shown[key] for key in ("Memory", "MemorySwap", "PidsLimit", "CpuShares")}


async def in_node(node: str, script: str) -> int:
    """Run a script in a node, at most for a while; return its status."""
    process = await asyncio.create_subprocess_exec(
        "docker", "exec", node, "timeout", "--signal=KILL", "20", "bash", "-c", script,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.docker
@pytest.mark.timeout(400)
async def test_one_cluster_takes_no_more_than_its_limits_and_another_goes_on(
    driver: KindDriver, tmp_path: Path
) -> None:
    greedy, _ = await built(driver, tmp_path)
    wanted = {
        "Memory": MEMORY, "MemorySwap": MEMORY, "PidsLimit": PIDS, "CpuShares": CPU_SHARES,
    }  # fmt: skip
    node = f"{greedy.kind_name}-control-plane"
    assert limits_on(node) == wanted
    check = next(each for each in (await driver.facts()).checks if each.name == "node_limits")
    assert check.ok, check

    modest, access = await built(driver, tmp_path)
    credentials = kube_api.read_kubeconfig(access.kubeconfig)

    async def modest_answers() -> None:
        async with kube_api.connect(credentials, access.internal_url) as client:
            await kube_api.wait_until_usable(client, nodes=1)

    # More than its limit, and more than its limit leaves of the machine's if it were not enforced.
    hog = in_node(node, f"perl -e '$x = \"a\" x {2 * MEMORY}; sleep 15'")
    status, _ = await asyncio.gather(hog, modest_answers())
    assert status in {9, 137}, "the kernel lets a node take more than its limit"

    # Each child waits, so the number grows until the limit; `timeout` ends them all.
    bomb = in_node(node, f"for i in $(seq {2 * PIDS}); do sleep 15 & done; wait")
    peak = asyncio.create_task(most_pids(node))
    await asyncio.gather(bomb, modest_answers())
    assert 0.9 * PIDS < await peak <= PIDS

    await driver.stop(modest.attempt_id)
    await driver.wake(modest.attempt_id, access.kubeconfig)
    assert limits_on(f"{modest.kind_name}-control-plane") == wanted


async def most_pids(node: str) -> int:
    """Return the most processes that a node is seen with before they become fewer again."""
    most = 0
    for _ in range(15):
        asked = await asyncio.create_subprocess_exec(
            "docker", "stats", "--no-stream", "--format", "{{.PIDs}}", node,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await asked.communicate()
        most = max(most, int(out))
        if most >= PIDS:
            break
    return most
