"""Changing a container's limits while it runs, which aiodocker has no method for."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.drivers.docker import TIMEOUT, Container, DockerEngine


async def update(
    docker: DockerEngine, container: Container, limits: Mapping[str, Any]
) -> Sequence[str]:
    """Set limits on a container; return Docker's warnings.

    Raises:
        DriverError: Docker does not answer or refuses.
    """
    path = f"containers/{container.id}/update"
    async with docker.asking() as client:
        told = await client._query_json(path, method="POST", data=dict(limits), timeout=TIMEOUT)
    return [str(each) for each in told.get("Warnings") or ()]
