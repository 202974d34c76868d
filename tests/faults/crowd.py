"""A crowd that follows one cluster: viewers that read, and peers that stall."""

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.faults.simulated_site import simulated
from tests.faults.site import Site
from tests.integration.by_hand import CLOSE, Peer, frame, handshake, peer, resident_bytes

STALLED_BUFFER: Final = 4096
AT_ONCE: Final = 20


def simulated_site(
    database_url: str, **settings: str
) -> contextlib.AbstractAsyncContextManager[Site]:
    """Set up a site for a crowd; the server is not started."""
    own = {
        "PYK8S_SIMULATED_SPEED": "50",
        "PYK8S_HOST_NAME": "crowd",
        "PYK8S_MAX_CREATES": "1",
        "PYK8S_MAX_CLUSTERS_PER_USER": "100",
        "PYK8S_DEADLINE_FACTOR": "1",
        "PYK8S_STREAMS_PER_USER": "5000",
        "PYK8S_DATABASE_POOL_SIZE": "30",  # everybody comes at once
    }
    return simulated(database_url, **own | settings)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a server takes of its machine. `kernel_bytes`: TCP buffers of the whole machine."""

    resident_bytes: int
    kernel_bytes: int
    descriptors: int


def footprint(pid: int) -> Footprint:
    """Measure."""
    kernel = 0
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            kernel = int(line.split()[-1]) * os.sysconf("SC_PAGE_SIZE")
    return Footprint(resident_bytes(pid), kernel, len(_sockets(pid) & _tcp_inodes()))


def _sockets(pid: int) -> set[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # it has been closed meanwhile
            found.add(str(descriptor.readlink()))
    return {name.removeprefix("socket:[").removesuffix("]") for name in found}


def _tcp_inodes() -> set[str]:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {line.split()[9] for line in lines}


@dataclass(slots=True)
class Viewer:
    """Somebody who reads everything: how late it came, what was said at the end."""

    last: int = 0
    late: list[tuple[float, float]] = field(default_factory=list)
    """When (monotonic) a batch came, and how long after its last event had happened."""
    said: list[str] = field(default_factory=list)
    close_code: int | None = None

    async def watch(self, opened: Peer) -> None:
        """Read until the server closes."""
        while (got := await opened.receive()) is not None:
            if got.opcode == CLOSE:
                self.close_code = got.close_code
                return
            document = got.document
            if document["type"] == "events":
                self._take(document["events"])
            elif document["type"] != "bookmark":
                self.said.append(document["type"])

    def _take(self, events: list[dict[str, Any]]) -> None:
        assert [each["seq"] for each in events] == list(
            range(self.last + 1, self.last + 1 + len(events))
        )
        self.last = events[-1]["seq"]
        happened = datetime.fromisoformat(events[-1]["at"]).timestamp()
        self.late.append((time.monotonic(), time.time() - happened))

    def lateness(self, since: float, until: float) -> list[float]:
        """Tell how late each batch of this time came."""
        return [late for at, late in self.late if since <= at < until]


@contextlib.asynccontextmanager
async def viewing(
    url: str, token: str, cluster_id: str, count: int, *, after: int = 0
) -> AsyncIterator[list[Viewer]]:
    """Let so many viewers follow a cluster after an event."""
    viewers = [Viewer(after) for _ in range(count)]
    async with contextlib.AsyncExitStack() as stack:
        tasks = []
        for viewer in viewers:
            opened = await stack.enter_async_context(peer(url))
            assert "101" in await opened.upgrade(url, token)
            await opened.send(subscription(cluster_id, after))
            tasks.append(asyncio.create_task(viewer.watch(opened)))
        try:
            yield viewers
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome


def quantile_of(values: Sequence[float], share: float) -> float:
    """Give what so many (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def subscription(cluster_id: str, after: int = 0) -> bytes:
    """Ask for everything after an event."""
    wish = {"type": "subscribe", "topic": f"cluster:{cluster_id}", "after": after}
    return frame(json.dumps(wish))


@contextlib.asynccontextmanager
async def stalled(url: str, token: str, cluster_id: str, count: int) -> AsyncIterator[None]:
    """Let so many peers subscribe and never read what they asked for."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for number in range(0, count, AT_ONCE):
            group = sockets[number : number + AT_ONCE]
            await asyncio.gather(*(_stall(raw, url, token, cluster_id) for raw in group))
        yield
    finally:
        for raw in sockets:
            raw.close()


async def _stall(raw: socket.socket, url: str, token: str, cluster_id: str) -> None:
    loop = asyncio.get_running_loop()
    place = urlsplit(url)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_BUFFER)
    raw.setblocking(False)
    await loop.sock_connect(raw, (place.hostname, place.port))
    await loop.sock_sendall(raw, handshake(url, token))
    head = b""
    while b"\r\n\r\n" not in head:
        head += await loop.sock_recv(raw, 256)
    assert b" 101 " in head, head
    await loop.sock_sendall(raw, subscription(cluster_id))
