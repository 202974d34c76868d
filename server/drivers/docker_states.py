"""Freezing, stopping and starting a container."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiodocker
from aiodocker.exceptions import DockerError

STOP_MARGIN: Final = 20


async def freeze(client: aiodocker.Docker, container_id: str) -> None:
    """Freeze all its processes. One that is frozen is no error."""
    with _fine_if("already paused"):
        await client.containers.container(container_id).pause()


async def thaw(client: aiodocker.Docker, container_id: str) -> None:
    """Let a frozen one go on. One that runs is no error."""
    with _fine_if("not paused"):
        await client.containers.container(container_id).unpause()


async def stop(client: aiodocker.Docker, container_id: str, *, seconds: int) -> None:
    """End one, at last by force. What is frozen hears nothing, so it is thawed before."""
    await thaw(client, container_id)
    await client.containers.container(container_id).stop(t=seconds, timeout=seconds + STOP_MARGIN)


async def start(client: aiodocker.Docker, container_id: str) -> None:
    """Start one that has ended. One that runs is no error: Docker says nothing of it."""
    await client.containers.container(container_id).start()


@contextmanager
def _fine_if(said: str) -> Iterator[None]:
    try:
        yield
    except DockerError as error:
        if said not in error.message:
            raise
