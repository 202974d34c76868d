"""What a cluster is made of in Docker: how its pieces are named, found and removed."""

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from server.drivers.base import KIND_NAME_PREFIX, DriverError, Found, kind_name
from server.drivers.docker import DockerEngine, NotKilled
from server.drivers.frozen import thaw

INSTANCE_LABEL: Final = "pyk8s.instance"
ATTEMPT_LABEL: Final = "pyk8s.attempt"
CLUSTER_ID_LABEL: Final = "pyk8s.cluster"

AUTHORITY_KEY: Final = "/etc/kubernetes/pki/ca.key"
KEY_BYTES: Final = 16 * 1024
KEY_SECONDS: Final = 5.0
"""The cluster signs as well, some seconds later: a Docker that hangs is not waited for."""


def network_name(attempt_id: UUID) -> str:
    """Name the Docker network of an attempt.

    Docker gives a container the default route of the network whose name comes first. Ours must
    come last: else a server in a container that joins it loses the route by which browsers and
    programs reach it, and with it all their connections.
    """
    return f"zz-{kind_name(attempt_id)}"


async def find(
    docker: DockerEngine, instance: str, known: Collection[UUID] = ()
) -> Sequence[Found]:
    """Find networks by their label, and the nodes that belong to them by kind's."""
    networks = await docker.networks(**{INSTANCE_LABEL: instance})
    pieces: dict[UUID, list[str]] = {}
    for network in networks:
        with contextlib.suppress(KeyError, ValueError):
            attempt_id = UUID(network.labels[ATTEMPT_LABEL])
            pieces.setdefault(attempt_id, []).append(f"network {network.name}")
    nodes: dict[UUID, dict[str, str]] = {}
    volumes: dict[UUID, list[str]] = {}
    for node in await docker.nodes():
        with contextlib.suppress(ValueError):
            attempt_id = UUID(node.cluster.removeprefix(KIND_NAME_PREFIX))
            if attempt_id in pieces or attempt_id in known:
                pieces.setdefault(attempt_id, []).append(f"container {node.name}")
                pieces[attempt_id] += [f"volume {name}" for name in node.volumes]
                volumes.setdefault(attempt_id, []).extend(node.volumes)
                nodes.setdefault(attempt_id, {})[node.name] = node.state
    return [
        Found(each, found, nodes.get(each, {}), volumes.get(each, ()))
        for each, found in pieces.items()
    ]


async def sweep(docker: DockerEngine, attempt_id: UUID) -> int:
    """Remove an attempt's nodes and network by label; give how much there was."""
    nodes = await docker.nodes(kind_name(attempt_id))
    for node in nodes:
        try:
            await docker.remove_container(node)
        except NotKilled:
            await thaw(docker, node)
            return len(nodes)  # what was killed ends now; the next sweep removes it
    networks = await docker.networks(**{ATTEMPT_LABEL: str(attempt_id)})
    for network in networks:
        await docker.remove_network(network)
    return len(nodes) + len(networks)


async def rejoin(docker: DockerEngine, attempt_ids: Collection[UUID]) -> None:
    """Connect the server's own container to the clusters' networks which it is not in."""
    wanted = {network_name(each) for each in attempt_ids}
    for network in sorted(wanted - await docker.joined()):
        await docker.join(network)


async def authority_key(docker: DockerEngine, cluster: str) -> bytes | None:
    """Read the key of the cluster's authority from its node; it is kept nowhere else.

    None: it is not where kubeadm puts it, or Docker does not let us look.
    """
    try:
        async with asyncio.timeout(KEY_SECONDS):
            nodes = [node for node in await docker.nodes(cluster) if "control-plane" in node.name]
            found = await docker.output(nodes[0], ["cat", AUTHORITY_KEY], limit=KEY_BYTES)
    except (DriverError, IndexError, TimeoutError):
        return None
    return found if found.startswith(b"-----BEGIN") else None
