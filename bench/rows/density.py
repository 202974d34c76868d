"""What a cluster that nobody uses costs its host: ours, awake and paused, beside a bare one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.measure import Figure, Scale, Setting, Target
from bench.rows.create import WAIT_SECONDS, bare_cluster, node_image
from bench.rows.labs import lab_on
from pyk8s.client.cluster import Cluster
from pyk8s.client.lab import Lab
from server.drivers import kind_usage
from server.drivers.base import Usage
from server.drivers.docker import DockerEngine

SETTLE_SECONDS: Final = {Scale.FULL: 120.0, Scale.QUICK: 30.0, Scale.TINY: 1.0}
SECONDS: Final = {Scale.FULL: 60.0, Scale.QUICK: 20.0, Scale.TINY: 2.0}
BASELINE: Final = "a bare `kind create cluster` with the same node image, in the same minute"
MIB: Final = 1024 * 1024


async def measure(setting: Setting) -> list[Figure]:
    """Leave both alone for a while, then count what they take meanwhile."""
    seconds = SECONDS[setting.scale]
    async with (
        lab_on(setting) as lab,
        an_engine() as docker,
        bare_cluster(await node_image(lab)) as bare,
        our_cluster(lab, docker) as (cluster, name),
    ):
        await asyncio.sleep(SETTLE_SECONDS[setting.scale])
        awake = [await cores(docker, [name, bare], seconds) for _ in range(setting.repeat)]
        memory = [(await used(docker, each)).memory_bytes / MIB for each in (name, bare)]
        await cluster.pause()
        await cluster.wait("paused", timeout_seconds=WAIT_SECONDS)
        asleep = [await cores(docker, [name], seconds) for _ in range(setting.repeat)]
        kept = (await used(docker, name)).memory_bytes / MIB
    frozen = [100 * each for [each] in asleep]
    ours, theirs = ([100 * each[which] for each in awake] for which in (0, 1))
    return [
        Figure("density", "CPU of an idle cluster", "% of a core", ours, theirs, BASELINE),
        Figure("density", "memory of an idle cluster", "MiB", memory[:1], memory[1:], BASELINE),
        Figure("density", "CPU of a paused cluster", "% of a core", frozen, targets=[
            Target("ours", "<=", 0.0)], note="Docker's own counter"),
        Figure("density", "memory of a paused cluster", "MiB", [kept]),
    ]  # fmt: skip


@asynccontextmanager
async def an_engine() -> AsyncIterator[DockerEngine]:
    """Ask Docker until the block ends."""
    made = DockerEngine()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def our_cluster(lab: Lab, docker: DockerEngine) -> AsyncIterator[tuple[Cluster, str]]:
    """Have a cluster of the template `default` until the block ends; gives kind's name for it."""
    before = {node.cluster for node in await docker.nodes()}
    cluster = await lab.clusters.create()
    try:
        await cluster.wait_ready(timeout_seconds=WAIT_SECONDS)
        [name] = {node.cluster for node in await docker.nodes()} - before
        yield cluster, name
    finally:
        await cluster.delete()
        await cluster.wait("deleted", timeout_seconds=WAIT_SECONDS)


async def used(docker: DockerEngine, cluster: str) -> Usage:
    """Measure a cluster.

    Raises:
        RuntimeError: Docker does not tell.
    """
    found = await kind_usage.usage(docker, cluster)
    if found is None:
        raise RuntimeError(f"Docker does not tell what {cluster} takes")
    return found


async def cores(docker: DockerEngine, clusters: list[str], seconds: float) -> list[float]:
    """Tell how many processors each of them keeps busy, on average over so many seconds."""
    before = [(await used(docker, each), time.perf_counter()) for each in clusters]
    await asyncio.sleep(seconds)
    shares = []
    for each, (was, since) in zip(clusters, before, strict=True):
        now = await used(docker, each)
        shares.append((now.cpu_seconds - was.cpu_seconds) / (time.perf_counter() - since))
    return shares
