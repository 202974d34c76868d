"""The container in which this server runs, if it runs in one, and its networks."""

import socket

import aiodocker
from aiodocker.exceptions import DockerError


async def join(client: aiodocker.Docker, network: str) -> None:
    """Connect it to a network. Twice is no error."""
    own = await client.containers.get(socket.gethostname())
    try:
        await (await client.networks.get(network)).connect({"Container": own.id})
    except DockerError as error:
        if "already exists in network" not in error.message:
            raise


async def networks(client: aiodocker.Docker) -> frozenset[str]:
    """Name the networks it is connected to. A container that was made anew has only its own."""
    own = await client.containers.get(socket.gethostname())
    return frozenset(own["NetworkSettings"]["Networks"])
