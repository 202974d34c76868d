"""Short-lived containers that do one thing for the server where only a container can."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiodocker.containers import DockerContainer

from server.drivers.docker import TIMEOUT, DockerEngine

MEMORY_BYTES: Final = 64 * 1024**2
PIDS: Final = 64
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Helper:
    """A container to run: `sh -c script sh ARGUMENTS`."""

    image: str
    script: str
    arguments: Sequence[str]
    network: str
    """A Docker network, or `host` for the network namespace of Docker's own machine."""
    labels: Mapping[str, str]
    capabilities: Sequence[str] = ()

    def config(self) -> dict[str, Any]:
        """Return it as Docker's API takes it: with nothing that it does not need."""
        return {
            "Image": self.image,
            "Entrypoint": ["sh", "-c", self.script, "sh", *self.arguments],
            "Labels": dict(self.labels),
            "User": "0",
            "HostConfig": {
                "NetworkMode": self.network,
                "CapDrop": ["ALL"],
                "CapAdd": list(self.capabilities),
                "SecurityOpt": ["no-new-privileges"],
                "ReadonlyRootfs": True,
                "Tmpfs": {"/run": "size=1m"},
                "Memory": MEMORY_BYTES,
                "PidsLimit": PIDS,
            },
        }


@asynccontextmanager
async def started(docker: DockerEngine, helper: Helper) -> AsyncIterator[DockerContainer]:
    """Run a helper while the block lasts.

    Raises:
        DriverError: Docker does not answer or refuses.
    """
    async with docker.asking() as client:
        container = await client.containers.create(helper.config())
        try:
            await container.start()
            yield container
        finally:
            await container.delete(force=True, v=True)


async def run_to_end(docker: DockerEngine, helper: Helper) -> tuple[int, str]:
    """Run a helper to its end; return its status and what it printed.

    Raises:
        DriverError: Docker does not answer or refuses.
    """
    async with started(docker, helper) as container:
        ended = await container.wait(timeout=TIMEOUT)
        return int(ended["StatusCode"]), await printed(container)


async def first_line(container: DockerContainer) -> str:
    """Wait for the first line that a helper prints; `` if it ends before."""
    while True:
        text = await printed(container)
        if "\n" in text:
            return text.partition("\n")[0]
        if not (await container.show())["State"]["Running"]:
            return ""
        await asyncio.sleep(POLL_SECONDS)


async def printed(container: DockerContainer) -> str:
    """Return all that a helper has printed."""
    return "".join(await container.log(stdout=True, stderr=True, timeout=TIMEOUT))


async def remove_left(docker: DockerEngine, label: str) -> None:
    """Remove helpers with a label that a server which died has left.

    Raises:
        DriverError: Docker does not answer or refuses.
    """
    async with docker.asking() as client:
        for each in await client.containers.list(all=True, filters={"label": [label]}):
            await each.delete(force=True, v=True)
