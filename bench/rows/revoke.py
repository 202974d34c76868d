"""How long what is open goes on after its credential was revoked."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median_high
from typing import Final

from bench.measure import Figure, Scale, Setting, Target
from bench.rows.create import WAIT_SECONDS
from bench.rows.labs import lab_on
from pyk8s.client.cluster import Cluster

TIMES: Final = {Scale.FULL: 20, Scale.QUICK: 5, Scale.TINY: 1}
IMAGE: Final = "docker.io/library/busybox:1.37"
WATCH: Final = ("get", "pods", "--all-namespaces", "--watch")
EXEC: Final = ("exec", "sleeper", "--", "sh", "-c", "echo in; sleep 600")
END_SECONDS: Final = 30.0


async def measure(setting: Setting) -> list[Figure]:
    """Open a watch and an exec by kubectl, revoke, and see when each has ended."""
    ended: dict[str, list[float]] = {"watch": [], "exec": []}
    async with lab_on(setting) as lab:
        cluster = await lab.clusters.create()
        try:
            await cluster.wait_ready(timeout_seconds=WAIT_SECONDS)
            with tempfile.TemporaryDirectory(prefix="pyk8s-bench-kube-") as folder:
                path = Path(folder) / "config"
                await write_kubeconfig(cluster, path)
                await run_sleeper(path)
                for _ in range(TIMES[setting.scale]):
                    await write_kubeconfig(cluster, path)
                    newest = (await cluster.credentials())[0]

                    async def revoke(credential: object = newest.id) -> None:
                        await cluster.revoke_credential(str(credential))

                    for what, seconds in zip(ended, await end_of(path, revoke), strict=True):
                        ended[what].append(seconds)
        finally:
            await cluster.delete()
            await cluster.wait("deleted", timeout_seconds=WAIT_SECONDS)
    return [
        Figure(
            "revoke", f"credential revoked to end of an open {what}, {which}", "s", [pick(taken)],
            targets=[Target("ours", "<", 1.0)],
        )
        for what, taken in ended.items()
        for which, pick in (("median", median_high), ("slowest", max))
    ]  # fmt: skip


async def end_of(path: Path, end: Callable[[], Awaitable[None]]) -> list[float]:
    """Open a watch and an exec, end them, and give the seconds until each is over.

    Raises:
        RuntimeError: the same kubeconfig still opens something afterwards.
    """
    opened = [await kubectl(path, *argv) for argv in (WATCH, EXEC)]
    try:
        for process in opened:
            assert process.stdout is not None
            await asyncio.wait_for(process.stdout.readline(), END_SECONDS)
        began = time.perf_counter()
        await end()

        async def over(process: asyncio.subprocess.Process) -> float:
            assert process.stdout is not None
            await asyncio.wait_for(process.stdout.read(), END_SECONDS)
            return time.perf_counter() - began

        seconds = await asyncio.gather(*(over(each) for each in opened))
    finally:
        for process in opened:
            if process.returncode is None:
                process.kill()
            await process.wait()
    again = await kubectl(path, "get", "nodes")
    if await again.wait() == 0:
        raise RuntimeError("a revoked kubeconfig lets somebody in")
    return list(seconds)


async def write_kubeconfig(cluster: Cluster, path: Path) -> None:
    """Ask for a new one: a credential of its own."""
    written = await cluster.kubeconfig("proxy")
    await asyncio.to_thread(path.write_text, written)


async def run_sleeper(path: Path) -> None:
    """Have a pod in which something can be executed."""
    await done(path, "run", "sleeper", f"--image={IMAGE}", "--restart=Never", "--", "sleep", "1d")
    await done(path, "wait", "--for=condition=Ready", "pod/sleeper", "--timeout=120s")


async def done(path: Path, *argv: str) -> None:
    """Run kubectl to its end.

    Raises:
        RuntimeError: it failed.
    """
    process = await kubectl(path, *argv)
    if await process.wait():
        raise RuntimeError(f"kubectl {' '.join(argv)} failed")


async def kubectl(path: Path, *argv: str) -> asyncio.subprocess.Process:
    """Start kubectl with this kubeconfig."""
    return await asyncio.create_subprocess_exec(
        "kubectl", *argv,
        env=os.environ | {"KUBECONFIG": str(path)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
