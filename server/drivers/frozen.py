"""Frees a node that Docker cannot kill: on cgroup v1 a frozen process does not hear KILL.

The runc in a node freezes a pod for a moment when it sets the pod's limits. A node that is killed
in just that moment takes the runc with it which would thaw the pod, and nobody else ever does.
"""

from typing import Final

from server.drivers.docker import CLUSTER_LABEL, Container, DockerEngine

CGROUPS: Final = "/sys/fs/cgroup"
_INSIDE: Final = "/host-cgroups"
_THAW: Final = (
    f'find {_INSIDE}/freezer -path "*$0*" -name freezer.state '
    """-exec sh -c 'echo THAWED > "$0"' {} ';'"""
)


async def thaw(docker: DockerEngine, node: Container) -> None:
    """Thaw whatever is frozen in a node; with Docker's rights, since the server may have none.

    Raises:
        DriverError: Docker does not answer or refuses.
    """
    await docker.run(
        {
            # The node's own image: it is there, and has a shell.
            "Image": str((await docker.inspect(node))["Image"]),
            "Entrypoint": ["sh", "-c", _THAW, node.id],
            # Should this server die meanwhile, it is swept with the node.
            "Labels": {CLUSTER_LABEL: node.cluster},
            "HostConfig": {
                "Privileged": True,
                "NetworkMode": "none",
                "Binds": [f"{CGROUPS}:{_INSIDE}"],
            },
        }
    )
