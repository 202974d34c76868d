"""The small Docker network that each cluster has to itself."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Final

import anyio.to_thread

from server.drivers.base import DriverError, Explanation
from server.drivers.docker import DockerEngine, SubnetTaken
from server.drivers.subnets import free_subnets, host_routes

TRIES: Final = 20
STARTS: Final = 2048
"""So many places of the pool one may begin to look at: two servers seldom look at the same."""


async def make_network(
    docker: DockerEngine,
    name: str,
    labels: Mapping[str, str],
    *,
    pool: str,
    choose_start: Callable[[int], int],
    bridge: str,
) -> str:
    """Make a network in a range of `pool` that nobody uses; return the range.

    `bridge`: what the host calls its end of the network.

    Raises:
        DriverError: there is none, or Docker refuses.
    """
    taken = [subnet for each in await docker.networks() for subnet in each.subnets]
    taken += await anyio.to_thread.run_sync(host_routes)
    subnets = free_subnets(pool, taken, start=choose_start(STARTS))
    for subnet, _ in zip(subnets, range(TRIES), strict=False):
        with contextlib.suppress(SubnetTaken):
            await docker.create_network(name, str(subnet), labels, bridge=bridge)
            return str(subnet)
    raise DriverError(
        Explanation(
            code="no_network",
            title="There is no free network for the cluster",
            cause=f"no free /27 was found in {pool}",
            fix="delete clusters or unused networks (docker network prune), or set "
            "PYK8S_NETWORK_POOL to a range that this host does not use",
        )
    )
