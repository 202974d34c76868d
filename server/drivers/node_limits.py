"""Limits on what a node's container takes: memory, processes, processors.

kind has no option for them, so Docker sets them on the containers that kind has made. They belong
to the container: a node that was stopped has them when it starts again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from pyk8s.wire.service import Check
from server.admission import GIB, RESERVED_MEMORY
from server.config.capacity import NODE_PIDS
from server.drivers.base import DriverError
from server.drivers.docker import DockerEngine
from server.drivers.docker_limits import update
from server.telemetry import get_logger

CPU_SHARES: Final = 512
"""Half of what Docker gives a container: under load the server and its database come first. A
weight takes nothing from a node while the processors are idle."""
CLUSTER_SHARE: Final = 0.5
"""Of the memory that a machine has for clusters, one of them gets no more than this share."""
MIN_MEMORY: Final = GIB
"""An idle node takes 0.6 GiB."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """What an operator chose, for each node."""

    memory_bytes: int | None = None
    """None: by the memory of the machine and the number of nodes."""
    pids: int = NODE_PIDS
    cpus: float | None = None
    """None: no limit, only a weight."""


USUAL_LIMITS: Final = LimitOptions()


def limits_of(options: LimitOptions, *, memory_total: int | None, nodes: int) -> dict[str, Any]:
    """Return a node's limits as Docker's API takes them (pure).

    Swap is no way out: memory and swap together have the limit of the memory.
    """
    limits: dict[str, Any] = {"PidsLimit": options.pids, "CpuShares": CPU_SHARES}
    memory = options.memory_bytes
    if memory is None and memory_total is not None:
        room = CLUSTER_SHARE * (memory_total - RESERVED_MEMORY)
        memory = max(MIN_MEMORY, int(room / nodes))
    if memory is not None:
        limits |= {"Memory": memory, "MemorySwap": memory}
    if options.cpus is not None:
        limits["NanoCpus"] = round(options.cpus * 1e9)
    return limits


class NodeLimits:
    """Sets the limits on each node once; a new server sets them again."""

    def __init__(self, docker: DockerEngine, options: LimitOptions) -> None:
        self._docker = docker
        self._options = options
        self._limited: set[str] = set()
        self._problem: str | None = None

    async def apply(self, clusters: Collection[str]) -> None:
        """Set them on the running nodes of these clusters that have none yet. Never raises.

        A cluster is better than none: where Docker cannot limit it, `check` says so.
        """
        if not clusters:
            return
        try:
            found = await self._docker.nodes()
            nodes = [each for each in found if each.cluster in clusters]
            new = [n for n in nodes if n.id not in self._limited and n.state == "running"]
            if not new:
                return
            total = (await self._docker.info()).get("MemTotal") or None
            for node in new:
                beside = sum(each.cluster == node.cluster for each in nodes)
                limits = limits_of(self._options, memory_total=total, nodes=beside)
                warnings = await update(self._docker, node, limits)
                # A kernel that does not count swap is common, and limits memory all the same.
                wrong = [each for each in warnings if "swap" not in each.lower()]
                if wrong:
                    raise NotLimited(" ".join(wrong))
                self._limited.add(node.id)
            self._limited &= {each.id for each in found}
            self._problem = None
        except (DriverError, NotLimited) as error:
            self._problem = str(error)
            log.warning("nodes_not_limited", reason=self._problem)

    def check(self) -> Check:
        """Return whether the nodes have their limits."""
        if self._problem is None:
            detail = f"each node has at most {self._options.pids} processes, and a limit of memory"
            return Check(name="node_limits", ok=True, required=False, detail=detail)
        return Check(
            name="node_limits",
            ok=False,
            required=False,
            detail=f"nodes have no limits: {self._problem}",
            fix="see that docker info lists no missing limit of memory or pids; a rootless Docker "
            "needs cgroup v2 with delegation",
        )


class NotLimited(Exception):
    """Docker took the limits, and says that this machine does not enforce them."""
