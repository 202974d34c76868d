"""How long a cluster takes from nothing to ready: ours and bare kind, in turn."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from bench.measure import Figure, Scale, Setting, Target
from bench.rows.labs import lab_on
from pyk8s.client.lab import Lab

PAIRS: Final = {Scale.FULL: 5, Scale.QUICK: 2, Scale.TINY: 1}
WAIT_SECONDS: Final = 300.0
TARGETS: Final = {"default": 0.65, "standard": 1.03}
BASELINE: Final = "bare `kind create cluster --wait 2m` with the same node image"


async def measure(setting: Setting) -> list[Figure]:
    """Make a cluster of each template and a bare one, each after the other is gone."""
    ours: dict[str, list[float]] = {template: [] for template in TARGETS}
    bare: list[float] = []
    async with lab_on(setting) as lab:
        image = await node_image(lab)
        for _ in range(PAIRS[setting.scale]):
            bare.append(await bare_create(image))
            for template in TARGETS:
                ours[template].append(await our_create(lab, template))
    return [
        Figure(
            "create", f"template {template}, asked to ready", "s", ours[template], bare, BASELINE,
            [Target("ratio", "<=", target)],
        )
        for template, target in TARGETS.items()
    ]  # fmt: skip


async def our_create(lab: Lab, template: str) -> float:
    """Ask, wait until it is ready, and delete it again. Gives the seconds until ready."""
    began = time.perf_counter()
    cluster = await lab.clusters.create(template=template)
    await cluster.wait_ready(timeout_seconds=WAIT_SECONDS)
    taken = time.perf_counter() - began
    await cluster.delete()
    await cluster.wait("deleted", timeout_seconds=WAIT_SECONDS)
    return taken


async def bare_create(image: str) -> float:
    """Do the same with kind alone."""
    began = time.perf_counter()
    async with bare_cluster(image):
        return time.perf_counter() - began


@asynccontextmanager
async def bare_cluster(image: str) -> AsyncIterator[str]:
    """Have a cluster of kind alone until the block ends; gives its name."""
    name = f"bench-{uuid4().hex[:8]}"
    folder = Path(tempfile.mkdtemp(prefix="pyk8s-bench-kind-"))
    common = ("--name", name, "--kubeconfig", str(folder / "kubeconfig"))
    try:
        await kind("create", "cluster", *common, "--image", image, "--wait", "2m")
        yield name
    finally:
        await kind("delete", "cluster", *common)
        await asyncio.to_thread(shutil.rmtree, folder)


async def kind(*arguments: str) -> None:
    """Run kind to its end.

    Raises:
        RuntimeError: it failed; has what it said.
    """
    child = await asyncio.create_subprocess_exec(
        "kind", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"kind {' '.join(arguments)}: {said.decode(errors='replace')}")


async def node_image(lab: Lab) -> str:
    """Give the image that the server takes by default."""
    templates = await lab.templates()
    return f"kindest/node:{templates[0].kubernetes_version}"
