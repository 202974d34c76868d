"""What the machine of a Docker has for clusters, and what each of them takes."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import anyio.to_thread

from server.admission import Space
from server.drivers.base import DriverError, Usage
from server.drivers.docker import DockerEngine
from server.drivers.docker_measures import stats, volume_sizes
from server.drivers.host import Host, read_host
from server.drivers.shared import Shared

VOLUMES_SECONDS: Final = 60.0
"""The sizes of volumes are so old at most; a walk takes seconds, and keeps the disk busy."""
SAME_MACHINE: Final = 0.1
"""Two sizes of memory that differ by more than this share are those of two machines."""


async def space(docker: DockerEngine) -> Space:
    """Ask Docker for its machine, and the kernel for what is free on it.

    Raises:
        DriverError: Docker does not answer.
    """
    return space_of(await docker.info(), await anyio.to_thread.run_sync(read_host))


async def usage(docker: DockerEngine, cluster: str) -> Usage | None:
    """Add up what Docker counts for each node of a cluster."""
    try:
        used = [usage_of(await stats(docker, node)) for node in await docker.nodes(cluster)]
    except DriverError:
        return None
    if not used:
        return None
    return Usage(
        memory_bytes=sum(each.memory_bytes for each in used),
        cpu_seconds=sum(each.cpu_seconds for each in used),
    )


VolumeSizes = Shared[None, Mapping[str, int]]
"""The sizes of all volumes of a Docker."""


def volume_sizes_of_all() -> VolumeSizes:
    """Make what keeps the sizes: Docker walks through the files of all tenants for them."""
    return VolumeSizes(seconds=VOLUMES_SECONDS, at_once=1)


async def disk(docker: DockerEngine, sizes_of_all: VolumeSizes, cluster: str) -> int | None:
    """Add up the volumes of a cluster's nodes."""
    try:
        names = {name for node in await docker.nodes(cluster) for name in node.volumes}
        sizes = await sizes_of_all.get(None, partial(volume_sizes, docker))
    except DriverError:
        return None
    found = [sizes[name] for name in names if name in sizes]
    return sum(found) if found else None


def space_of(info: Mapping[str, Any], host: Host) -> Space:
    """Tell what the machine of a Docker has; `host` is the one that this server runs on.

    They may be two: Docker may be far away, or in a virtual machine. What is available there is
    then not known.
    """
    total = info.get("MemTotal") or None
    is_same = (
        total is not None
        and host.memory_total is not None
        and abs(total - host.memory_total) <= SAME_MACHINE * total
    )
    return Space(
        cpus=info.get("NCPU") or None,
        memory_total=total,
        memory_available=host.memory_available if is_same else None,
    )


def usage_of(stats: Mapping[str, Any]) -> Usage:
    """Read a container's memory, without the cache that the kernel takes back, and its CPU time."""
    memory = stats.get("memory_stats") or {}
    details = memory.get("stats") or {}
    # The name differs between cgroup v1 and v2.
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    cpu = (stats.get("cpu_stats") or {}).get("cpu_usage") or {}
    return Usage(
        memory_bytes=max(0, int(memory.get("usage", 0)) - int(cache)),
        cpu_seconds=int(cpu.get("total_usage", 0)) / 1e9,
    )
