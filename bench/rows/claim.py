"""How long it takes until somebody who asks for a cluster of the pool has an answer of kubectl."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bench.measure import Figure, Scale, Setting, Target, curve, percentile
from bench.rows.labs import lab_on
from pyk8s.client.cluster import Cluster
from pyk8s.client.lab import Lab

CLAIMS: Final = {Scale.FULL: 50, Scale.QUICK: 8, Scale.TINY: 2}
BATCH: Final = 10
"""So many are prebuilt before the first is claimed, and nothing is built meanwhile."""
FILL_SECONDS: Final = 1200.0
WAIT_SECONDS: Final = 120.0
PAUSED_SECONDS: Final = 3.0


class Times:
    """Seconds by what took them."""

    def __init__(self) -> None:
        self.all: dict[str, list[float]] = {}

    async def take(self, what: str, work: Awaitable[object]) -> None:
        """Do it, and note how long it took."""
        began = time.perf_counter()
        await work
        self.note(what, time.perf_counter() - began)

    def note(self, what: str, seconds: float) -> None:
        """Note how long it took."""
        self.all.setdefault(what, []).append(seconds)


async def measure(setting: Setting) -> list[Figure]:
    """Fill the pool, take all of it one by one, and begin anew until there were enough."""
    times = Times()
    left = CLAIMS[setting.scale]
    async with lab_on(setting, PYK8S_POOL="") as lab:
        with tempfile.TemporaryDirectory(prefix="pyk8s-bench-kube-") as folder:
            while left:
                batch = min(BATCH, left)
                await fill(lab, batch)
                for rest in reversed(range(batch)):
                    await one(lab, times, Path(folder), rest)
                left -= batch
    return [figure for what, seconds in times.all.items() for figure in figures(what, seconds)]


def figures(what: str, seconds: list[float]) -> list[Figure]:
    """Give p50 and p99 of what was timed, with its target if it has one."""
    targets = {
        ("POST to kubectl get nodes, proxy", 50): [Target("ours", "<", 0.2)],
        ("POST to kubectl get nodes, proxy", 99): [Target("ours", "<", 0.6)],
        ("paused to first byte, proxy", 50): [Target("ours", "<", 0.5)],
    }
    return [
        Figure(
            "claim", f"{what}, p{percent}", "s", [percentile(seconds, percent)],
            targets=targets.get((what, percent), []),
            curve=curve(seconds) if percent == 50 else (),  # noqa: PLR2004
        )
        for percent in (50, 99)
    ]  # fmt: skip


async def one(lab: Lab, times: Times, folder: Path, rest: int) -> None:
    """Claim, use, pause, wake and delete one. `rest`: how many are left in the pool then."""
    began = time.perf_counter()
    cluster = await lab.clusters.create()
    times.note("POST answered", time.perf_counter() - began)
    await cluster.wait_ready(timeout_seconds=WAIT_SECONDS)
    times.note("POST to ready", time.perf_counter() - began)
    through = folder / "proxy"
    through.write_text(await cluster.kubeconfig("proxy"))
    await kubectl(through)
    times.note("POST to kubectl get nodes, proxy", time.perf_counter() - began)
    assert cluster.snapshot.from_pool, "the pool was empty"
    await lab.set_pool("default", rest)
    again = time.perf_counter()
    direct = folder / "direct"
    direct.write_text(await cluster.kubeconfig("direct"))
    await kubectl(direct)
    times.note("kubeconfig and kubectl get nodes, direct", time.perf_counter() - again)
    await times.take("kubectl get nodes alone, direct", kubectl(direct))
    await times.take("kubectl get nodes alone, proxy", kubectl(through))
    await times.take("pause", rested(cluster, cluster.pause, "paused"))
    await asyncio.sleep(PAUSED_SECONDS)
    await times.take("paused to first byte, proxy", kubectl(through))
    await times.take("delete", rested(cluster, cluster.delete, "deleted"))


async def rested(cluster: Cluster, ask: Callable[[], Awaitable[object]], phase: str) -> None:
    """Ask for something, and wait until it is so."""
    await ask()
    await cluster.wait(phase, timeout_seconds=WAIT_SECONDS)


async def kubectl(config: Path) -> None:
    """Run kubectl get nodes, as a person would; it has to find the node."""
    child = await asyncio.create_subprocess_exec(
        "kubectl", "get", "nodes", "--no-headers",
        env={**os.environ, "KUBECONFIG": str(config), "HOME": str(config.parent)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await child.communicate()
    if child.returncode or b" Ready " not in said:
        raise RuntimeError(f"kubectl get nodes: {said.decode(errors='replace')}")


async def fill(lab: Lab, size: int) -> None:
    """Ask for a pool of so many, and wait until all of it could be taken."""
    await lab.set_pool("default", size)
    async with asyncio.timeout(FILL_SECONDS):
        while True:
            if await is_full(lab, size):
                break
            await asyncio.sleep(1.0)
    await asyncio.sleep(PAUSED_SECONDS)


async def is_full(lab: Lab, size: int) -> bool:
    """Tell whether there are so many, and all but one sleep."""
    pool = next(each for each in await lab.pool() if each.template == "default")
    return (pool.ready, pool.paused) == (size, max(0, size - pool.awake))
