"""The volumes of nodes, which outlive a node's container that somebody else removes.

kind gives each node an anonymous volume with all that the node writes, 600 MB and more. Docker
does not say whose it was once the container is gone, so the names are kept: in a file of the
attempt from the moment that its cluster is finished, and before that in memory.
"""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio.to_thread

from server.drivers.base import DriverError, kind_name
from server.drivers.docker import DockerEngine
from server.telemetry import get_logger

FILE: Final = "volumes"

log = get_logger(__name__)


class NodeVolumes:
    """Which volumes the nodes of each attempt have had."""

    def __init__(self, docker: DockerEngine) -> None:
        self._docker = docker
        self._seen: dict[UUID, set[str]] = {}

    def saw(self, attempt_id: UUID, names: Collection[str]) -> None:
        """Remember volumes of an attempt's nodes."""
        if names:
            self._seen.setdefault(attempt_id, set()).update(names)

    async def keep(self, attempt_id: UUID, directory: Path) -> None:
        """Write down the volumes of a finished cluster. Never raises.

        A cluster that Docker does not answer for now is as good as others: each sweep sees its
        volumes too, and remembers them for the removal.
        """
        try:
            nodes = await self._docker.nodes(kind_name(attempt_id))
        except DriverError as error:
            log.warning("volumes_not_kept", attempt=str(attempt_id), reason=str(error))
            return
        self.saw(attempt_id, {name for node in nodes for name in node.volumes})
        names = sorted(self._seen.get(attempt_id, ()))
        await anyio.to_thread.run_sync(partial(_write, directory / FILE, names))

    async def remove(self, attempt_id: UUID, directory: Path) -> None:
        """Remove what is left of an attempt's volumes, after its containers.

        Raises:
            DriverError: Docker does not answer or refuses.
        """
        kept = await anyio.to_thread.run_sync(_read, directory / FILE)
        for name in sorted(kept | self._seen.get(attempt_id, set())):
            if not await self._docker.remove_volume(name):
                # Somebody has given it to a container of their own: it is theirs now.
                log.warning("volume_in_use", volume=name, attempt=str(attempt_id))
        self._seen.pop(attempt_id, None)


def _write(path: Path, names: Collection[str]) -> None:
    path.write_text("".join(f"{name}\n" for name in names))


def _read(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except FileNotFoundError:
        return set()
