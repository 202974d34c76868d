"""What a failed kind cluster leaves behind that tells why: read before it is removed.

Each piece has its own time limit and size limit, and is left out when it cannot be had: a node
that is half dead must not keep the others from telling.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final

import anyio.to_thread

from server.drivers.base import DriverError, EvidenceFile
from server.drivers.docker import Container, DockerEngine
from server.drivers.host import read_host

PIECE_SECONDS: Final = 6.0
PIECE_BYTES: Final = 768 * 1024
MAX_NODES: Final = 6
LINES: Final = 4000

Piece = Callable[[], Awaitable[bytes]]

_INFO: Final = (
    "ServerVersion", "OperatingSystem", "OSType", "Architecture", "KernelVersion", "Driver",
    "DockerRootDir", "CgroupDriver", "CgroupVersion", "NCPU", "MemTotal", "Containers",
    "ContainersRunning", "ContainersPaused", "Images", "HttpProxy", "HttpsProxy", "NoProxy",
    "SecurityOptions", "LiveRestoreEnabled", "DefaultRuntime", "Warnings",
)  # fmt: skip
_IN_NODE: Final = {
    "kubelet.log": ["journalctl", "-u", "kubelet", "--no-pager", "-n", str(LINES)],
    "containerd.log": ["journalctl", "-u", "containerd", "--no-pager", "-n", str(LINES)],
    "pods.log": ["sh", "-c", "tail -n 200 /var/log/pods/*/*/*.log"],
    "containers.txt": ["crictl", "--timeout", "4s", "ps", "-a"],
}


async def collect(docker: DockerEngine, cluster: str) -> AsyncIterator[EvidenceFile]:
    """Give file after file, those first that are soonest had."""
    host = json.dumps((await anyio.to_thread.run_sync(read_host)).facts(), indent=2)
    yield EvidenceFile("host.json", host.encode())
    yield EvidenceFile("docker.json", await _or_why(partial(_docker, docker)))
    try:
        nodes = await docker.nodes(cluster)
    except DriverError as error:
        yield EvidenceFile("nodes.txt", f"the nodes are not known: {error}\n".encode())
        return
    listed = "".join(f"{node.name}\n" for node in nodes) or "there is no node\n"
    yield EvidenceFile("nodes.txt", listed.encode())
    for node in nodes[:MAX_NODES]:
        for name, piece in _pieces(docker, node):
            yield EvidenceFile(f"{node.name}/{name}", await _or_why(piece))


def _pieces(docker: DockerEngine, node: Container) -> list[tuple[str, Piece]]:
    return [
        ("inspect.json", partial(_inspect, docker, node)),
        ("container.log", partial(docker.logs, node, lines=LINES, limit=PIECE_BYTES)),
        *(
            (name, partial(docker.output, node, argv, limit=PIECE_BYTES))
            for name, argv in _IN_NODE.items()
        ),
    ]


async def _or_why(piece: Piece) -> bytes:
    """Give the piece, or the words why it is not there."""
    try:
        async with asyncio.timeout(PIECE_SECONDS):
            return await piece()
    except TimeoutError:
        return f"not collected: no answer in {PIECE_SECONDS:g} s\n".encode()
    except DriverError as error:
        return f"not collected: {error}\n".encode()


async def _docker(docker: DockerEngine) -> bytes:
    info = await docker.info()
    said: dict[str, Any] = {name: info[name] for name in _INFO if name in info}
    said["NodeImages"] = sorted((await docker.node_images()).values())
    return json.dumps(said, indent=2).encode()


async def _inspect(docker: DockerEngine, node: Container) -> bytes:
    said = await docker.inspect(node)
    kept: dict[str, Any] = {name: said.get(name) for name in ("Created", "State", "RestartCount")}
    kept["Image"] = said.get("Config", {}).get("Image")
    kept["Networks"] = said.get("NetworkSettings", {}).get("Networks")
    kept["Ports"] = said.get("NetworkSettings", {}).get("Ports")
    return json.dumps(kept, indent=2).encode()
