"""Measure what a cluster takes of its host."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

import anyio

from pyk8s.wire.usage import Usage
from server.drivers.base import Usage as Reading
from server.drivers.shared import Shared
from server.errors import ClusterAway
from server.kube.own_host import Nodes

SAMPLE_SECONDS: Final = 1.0
READ_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 5.0
AT_ONCE: Final = 8
"""Clusters that are measured at the same time: each needs a few questions to Docker."""
DISK_SECONDS: Final = 20.0
"""Docker walks through the volumes of all containers for it."""


class Measuring:
    """Measures clusters: all who want to know of one share what is found."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = Shared[UUID, Usage](seconds=KEPT_SECONDS, at_once=AT_ONCE, clock=clock)

    async def of(self, nodes: Nodes) -> Usage:
        """Return what a cluster took within the last seconds. Raises as `measure`."""
        return await self._shared.get(nodes.attempt_id, partial(measure, nodes))


async def measure(
    nodes: Nodes,
    *,
    seconds: float = SAMPLE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Usage:
    """Look at the nodes twice, `seconds` apart.

    Raises:
        ClusterAway: they cannot be measured.
    """
    before, since = await _read(nodes), clock()
    await sleep(seconds)
    after, until = await _read(nodes), clock()
    disk = None
    with anyio.move_on_after(DISK_SECONDS):
        disk = await nodes.driver.disk(nodes.attempt_id)
    # Nodes that were started anew in between count from nothing.
    used = max(0.0, after.cpu_seconds - before.cpu_seconds)
    return Usage(
        memory_bytes=after.memory_bytes,
        cpu_cores=round(used / max(until - since, 1e-3), 4),
        sample_seconds=round(until - since, 3),
        disk_bytes=disk,
        measured_at=now(),
    )


async def _read(nodes: Nodes) -> Reading:
    with anyio.move_on_after(READ_SECONDS):
        found = await nodes.driver.usage(nodes.attempt_id)
        if found is not None:
            return found
    raise ClusterAway(
        "the nodes of the cluster cannot be measured",
        fix="see whether its host is overloaded, then try again",
        retry_after=5,
    )
