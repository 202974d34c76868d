"""What Docker counts of containers and volumes."""

from typing import Any

from server.drivers.docker import TIMEOUT, Container, DockerEngine


async def stats(docker: DockerEngine, container: Container) -> dict[str, Any]:
    """Tell what a container has used; of one that does not run, nothing.

    Raises:
        DriverError: Docker does not answer or refuses.
    """
    # One reading only: Docker would else take a second to make two of them.
    once = {"stream": "false", "one-shot": "true"}
    path = f"containers/{container.id}/stats"
    async with docker.asking() as client:
        return dict(await client._query_json(path, params=once, timeout=TIMEOUT))


async def volume_sizes(docker: DockerEngine) -> dict[str, int]:
    """Tell the bytes in each volume. Docker walks through all of them for it.

    Raises:
        DriverError: Docker does not answer or refuses.
    """
    only = {"type": "volume"}
    async with docker.asking() as client:
        told = await client._query_json("system/df", params=only, timeout=TIMEOUT)
    sizes = {each["Name"]: each.get("UsageData") or {} for each in told.get("Volumes") or ()}
    return {name: int(used["Size"]) for name, used in sizes.items() if used.get("Size", -1) >= 0}
