"""Whether a machine can take one more cluster, and what is short when it cannot. Pure.

Memory is in bytes, CPU in cores. What nobody could measure is `None`, and limits nothing.
"""

from dataclasses import dataclass
from typing import Final

GIB: Final = 1024**3

RESERVED_MEMORY: Final = 2 * GIB
"""Left to the system, to Docker and to this server, of the whole memory of a machine."""
KEPT_FREE: Final = GIB // 2
"""Of what is available at the moment so much stays free when a cluster begins."""
STANDING_SHARE: Final = 0.8
"""Clusters that are there may keep this share of the processors busy when nobody uses them."""
BUILDING_SHARE: Final = 1.5
"""Builds wait much, so more of them than the processors carry are quicker as a whole: on two cores
two at once took 37 s, one alone 32 s and three 40 to 71 s."""


@dataclass(frozen=True, slots=True)
class Space:
    """What a machine has for clusters, measured now."""

    cpus: int | None
    memory_total: int | None
    memory_available: int | None


@dataclass(frozen=True, slots=True)
class Need:
    """What a node takes: as learned from past runs, or as measured once on another machine."""

    memory: int = 600 * 1024**2
    build_cores: float = 1.4
    standing_cores: float = 0.13

    def times(self, nodes: int) -> "Need":
        """Give what so many nodes take together. They are built at the same time."""
        return Need(self.memory * nodes, self.build_cores * nodes, self.standing_cores * nodes)


@dataclass(frozen=True, slots=True)
class Held:
    """What a cluster on the machine takes, all its nodes together."""

    need: Need
    is_building: bool
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """All clusters on a machine."""

    held: tuple[Held, ...] = ()

    @property
    def building(self) -> int:
        """How many are being built."""
        return sum(each.is_building for each in self.held)

    @property
    def build_cores(self) -> float:
        """How many cores the builds keep busy."""
        return sum(each.need.build_cores for each in self.held if each.is_building)

    @property
    def standing_cores(self) -> float:
        """How many cores are kept busy by clusters that nobody uses."""
        return sum(each.need.standing_cores for each in self.held if not each.is_paused)

    @property
    def memory(self) -> int:
        """How much memory all of them take."""
        return sum(each.need.memory for each in self.held)

    @property
    def building_memory(self) -> int:
        """How much memory is spoken for that may still look as if it were available."""
        return sum(each.need.memory for each in self.held if each.is_building)

    def plus(self, one: Held) -> "Load":
        """Give the load with one more."""
        return Load((*self.held, one))


def shortage(space: Space, load: Load, wanted: Need, *, max_creates: int | None) -> str | None:
    """Say what a new cluster would have to wait for, in words. None: it can begin now.

    `max_creates`: how many the operator lets build at once; None: as many as the processors take.
    On a machine without clusters there is nothing to wait for: the first one always begins.
    """
    if not load.held:
        return None
    return _build_shortage(space, load, wanted, max_creates) or standing_shortage(
        space, load, wanted
    )


def _build_shortage(space: Space, load: Load, wanted: Need, max_creates: int | None) -> str | None:
    if not load.building:
        return None
    if max_creates is not None:
        if load.building < max_creates:
            return None
        return f"this host builds {_clusters(max_creates)} at a time"
    if space.cpus is None:
        return None
    if load.build_cores + wanted.build_cores <= BUILDING_SHARE * space.cpus:
        return None
    return f"its processors are busy building {_clusters(load.building)}"


def standing_shortage(space: Space, load: Load, wanted: Need) -> str | None:
    """Say what is short for one more that stays, however many are being built."""
    if space.memory_total is not None:
        room = space.memory_total - RESERVED_MEMORY - load.memory
        if wanted.memory > room:
            return _memory(wanted)
    if space.memory_available is not None:
        room = space.memory_available - KEPT_FREE - load.building_memory
        if wanted.memory > room:
            return _memory(wanted)
    if space.cpus is not None:
        busy = load.standing_cores + wanted.standing_cores
        if busy > STANDING_SHARE * space.cpus:
            return "the clusters that are there keep its processors busy, until one of them ends"
    return None


def room_for(space: Space, load: Load, wanted: Need, *, most: int = 100) -> int:
    """Count how many clusters that need so much the machine could still hold."""
    count = 0
    # Begun at once they would look as if they were not there yet: that is counted too.
    while count < most and standing_shortage(space, load, wanted) is None:
        load = load.plus(Held(wanted, is_building=True))
        count += 1
    return count


def _memory(wanted: Need) -> str:
    return (
        f"it needs about {wanted.memory / GIB:.1f} GiB of memory, which are free when another "
        "cluster ends"
    )


def _clusters(count: int) -> str:
    return "1 cluster" if count == 1 else f"{count} clusters"
