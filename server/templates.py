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

    @property
    def nodes(self) -> int:
        """How many nodes it has."""
        return self.control_planes + self.workers


DEFAULT: Final = "default"

_ALL = (
    Preset(
        name=DEFAULT,
        title="One node",
        description="One node that does everything. The quickest way to a cluster.",
        control_planes=1,
        workers=0,
        addons=("kindnet", "local-path storage", "CoreDNS"),
        ttl_seconds=3600,
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

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({preset.name: preset for preset in _ALL})
