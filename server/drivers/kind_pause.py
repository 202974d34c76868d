"""Nodes that are frozen while nobody uses them, and go on where they were."""

import asyncio
from typing import Final

import aiodocker

from server.drivers import docker_states, kube_api
from server.drivers.base import DriverError, Explanation
from server.drivers.docker import Container, DockerEngine
from server.drivers.kube_api import Credentials

AWAKE_SECONDS: Final = 60.0
"""A node that Docker had ended needs 6 to 14 s to its API server, a frozen one half a second."""
STOP_SECONDS: Final = 15
"""systemd in a node ends the kubelet and containerd first; what has not ended by then is killed."""
ASK_SECONDS: Final = 2.0
"""One question; what was lost on the way while the node was frozen is asked again."""
FIRST_POLL_SECONDS: Final = 0.01
LAST_POLL_SECONDS: Final = 0.25


async def pause(docker: DockerEngine, cluster: str) -> None:
    """Freeze the nodes that run.

    Raises:
        DriverError: there are none, or Docker refuses.
    """
    nodes = await _nodes(docker, cluster)
    async with docker.asking() as client:
        running = (each.id for each in nodes if each.state == "running")
        await asyncio.gather(*(docker_states.freeze(client, each) for each in running))


async def stop(docker: DockerEngine, cluster: str) -> None:
    """End the nodes that run or are frozen. Their disks stay as they are.

    Raises:
        DriverError: there are none, or Docker refuses.
    """
    nodes = await _nodes(docker, cluster)
    async with docker.asking() as client:
        up = (each.id for each in nodes if each.state in {"running", "paused"})
        await asyncio.gather(
            *(docker_states.stop(client, each, seconds=STOP_SECONDS) for each in up)
        )


async def wake(docker: DockerEngine, cluster: str) -> None:
    """Thaw the frozen nodes, and start those that have ended.

    Raises:
        DriverError: there are none, or Docker refuses.
    """
    nodes = await _nodes(docker, cluster)
    async with docker.asking() as client:
        await asyncio.gather(*(_let_go_on(client, each) for each in nodes))


async def wait_until_awake(credentials: Credentials, url: str, *, with_nodes: bool) -> None:
    """Wait until the API server says that it is ready.

    Where the controller manager has missed heartbeats, nodes are shown as not Ready for some
    seconds, while all that runs on them goes on. `with_nodes`: wait for that as well.

    Raises:
        DriverError: it did not in time.
    """
    said, pause_seconds = "nothing", FIRST_POLL_SECONDS
    try:
        async with (
            asyncio.timeout(AWAKE_SECONDS),
            kube_api.connect(credentials, url, seconds=ASK_SECONDS) as client,
        ):
            while True:
                said = await kube_api.missing(client, 1 if with_nodes else 0)
                if not said:
                    return
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, LAST_POLL_SECONDS)
    except TimeoutError as error:
        raise DriverError(
            Explanation(
                code="not_awake",
                title="The cluster does not wake up",
                cause=f"its API server did not answer within {AWAKE_SECONDS:g} s: {said}",
                fix="see whether the host has memory and CPU to spare, then docker ps -a",
            )
        ) from error


async def _let_go_on(client: aiodocker.Docker, node: Container) -> None:
    if node.state == "paused":
        await docker_states.thaw(client, node.id)
    else:  # also one that is listed as running: the list lags behind the end of a container
        await docker_states.start(client, node.id)


async def _nodes(docker: DockerEngine, cluster: str) -> list[Container]:
    nodes = await docker.nodes(cluster)
    if not nodes:
        raise DriverError(
            Explanation(
                code="nodes_gone",
                title="The nodes of the cluster are gone",
                cause=f"Docker knows no container of {cluster}",
                fix="delete the cluster, and create another one",
            )
        )
    return nodes
