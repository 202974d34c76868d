"""The presets that a person chooses from. Pure data.

Kubernetes versions are not named here: they are what the host's node images have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Preset:
    """What a template gives where a request says nothing."""

    name: str
    title: str
    description: str
    control_planes: int
    workers: int
    addons: tuple[str, ...]
    ttl_seconds: int
    is_tuned: bool = False
    """With one node it is made to come up quickly, and to be Ready at once after a pause."""

    @property
    def nodes(self) -> int:
        """How many nodes it has."""
        return self.control_planes + self.workers


DEFAULT: Final = "default"

_ALL = (
    Preset(
        name=DEFAULT,
        title="One node",
        description="One node that does everything, tuned. The quickest way to a cluster.",
        control_planes=1,
        workers=0,
        addons=("static pod network", "local-path storage", "CoreDNS"),
        ttl_seconds=3600,
        is_tuned=True,
    ),
    Preset(
        name="standard",
        title="As kind comes",
        description="One node with exactly what kind gives, nothing tuned.",
        control_planes=1,
        workers=0,
        addons=("kindnet", "local-path storage", "CoreDNS"),
        ttl_seconds=3600,
    ),
    Preset(
        name="multi-node",
        title="Control plane and two workers",
        description="Three nodes, to try out scheduling, draining and failures.",
        control_planes=1,
        workers=2,
        addons=("kindnet", "local-path storage", "CoreDNS"),
        ttl_seconds=3600,
    ),
)

DRIVER_LABELS: Final = frozenset({"simulate"})
"""Labels that change what a driver makes; others only tell clusters apart."""

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({preset.name: preset for preset in _ALL})


def is_tuned(template: str, nodes: int) -> bool:
    """Tell whether a cluster of so many nodes is tuned. One whose template is gone is not."""
    preset = PRESETS.get(template)
    return preset is not None and preset.is_tuned and nodes == 1
