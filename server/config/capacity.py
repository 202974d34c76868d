"""Settings: how much of everything there may be, and what is done ahead of people."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pyk8s.wire.admin import MAX_POOL
from server.templates import PRESETS

REGISTRY: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?(:\d{1,5})?")
UPSTREAM: Final = re.compile(r"https?://[a-z0-9]([a-z0-9.-]{0,252})(:\d{1,5})?")
URLS: Final = {"docker.io": "https://registry-1.docker.io"}
"""Where a registry's address is not its name."""

CACHE_BYTES: Final = 20 * 1024**3
NODE_PIDS: Final = 4096
"""The kernel of a small machine has 32,768 for everybody."""


def _registries(value: str) -> Iterator[tuple[str, str]]:
    """Split what a setting says into registries and their URLs."""
    if value.strip() == "off":
        return
    for part in filter(None, (each.strip() for each in value.split(","))):
        registry, _, url = part.partition("=")
        yield registry, url or URLS.get(registry, f"https://{registry}")


class Capacity(BaseSettings):
    """How many of what, how long, and what happens to what nobody uses."""

    model_config = SettingsConfigDict(env_prefix="PYK8S_", frozen=True, extra="ignore")

    max_creates: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Clusters built at the same time. Unset: as many as the processors take.",
    )
    deadline_factor: float = Field(
        1.0,
        gt=0,
        le=100,
        description="How many times its usual time a step of a create, a silence or a removal may "
        "take before it is ended: more than 1 for a slow machine.",
    )
    max_clusters_per_user: int = Field(
        5, ge=1, le=10_000, description="Clusters that one user may have at once."
    )
    streams_per_user: int = Field(
        20,
        ge=1,
        le=100_000,
        description="Streams (WebSockets, SSE, followed logs) that one user may have open at this "
        "server at once.",
    )
    connections_per_address: int = Field(
        8192,
        ge=1,
        le=1_000_000,
        description="Connections that one address may have open at each port at once. Everybody "
        "behind one NAT or one reverse proxy has one address; of IPv6 its first 64 bits count.",
    )
    connections_per_port: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Connections that each port takes in all. Unset: a quarter of the files that "
        "the server may have open, at most 16384, so that one port cannot take them from the "
        "others.",
    )
    terminals_per_user: int = Field(
        10, ge=1, le=1000, description="Terminals that one user may have open at once."
    )
    terminals_per_cluster: int = Field(
        10, ge=1, le=1000, description="Terminals that one cluster may have open at once."
    )
    max_terminals: int = Field(
        200,
        ge=1,
        le=10_000,
        description="Terminals that may be open at this server at once, of all users together.",
    )
    terminal_bytes_per_second: int = Field(
        4 * 1024**2,
        ge=64 * 1024,
        le=1024**3,
        description="How fast the output of one user's terminals is read, of all of them together, "
        "after the first 16 MiB. A program that prints more waits. Of all users together four "
        "times as much is read.",
    )
    node_memory_bytes: int | None = Field(
        None,
        ge=512 * 1024**2,
        description="Memory that each node of a cluster may take, in bytes; swap gives it no more. "
        "Unset: a cluster may take half of what the machine has beyond 2 GiB, its nodes share that "
        "equally, and each gets 1 GiB at least.",
    )
    node_pids: int = Field(
        NODE_PIDS,
        ge=512,
        le=1_000_000,
        description="Processes and threads that each node of a cluster may have at once. An idle "
        "node has about 300.",
    )
    node_cpus: float | None = Field(
        None,
        ge=0.5,
        le=1024,
        description="Processors that each node of a cluster may keep busy (`1.5`). Unset: as many "
        "as are idle; under load the server and its database come first.",
    )
    image_archive_bytes: int = Field(
        8 * 1024**3,
        ge=1024**2,
        description="The longest archive of images that somebody may load into a cluster, in "
        "bytes.",
    )
    image_load_seconds: int = Field(
        3600,
        ge=60,
        le=86_400,
        description="How long it may take until an archive of images is in all nodes of a cluster, "
        "from its first byte on. After it the import is ended in the nodes.",
    )
    image_cache: str = Field(
        "docker.io",
        description="Registries whose images are pulled once for all clusters, separated by "
        "commas: `docker.io,ghcr.io`. Another address than the registry's own: "
        "`docker.io=https://mirror.example.org`. `off`: none.",
    )
    image_cache_image: str = Field(
        "registry:3",
        description="The image of the program that caches: distribution's registry. It is pulled "
        "when it is not there; until then clusters pull for themselves.",
    )
    image_cache_bytes: int = Field(
        CACHE_BYTES,
        ge=1024**2,
        description="What the cache of a registry may store, in bytes; one that stores more is "
        "emptied within some minutes. What nobody has asked for in a week goes in any case.",
    )
    max_ttl_seconds: int = Field(
        24 * 3600,
        ge=60,
        le=7 * 24 * 3600,
        description="The longest life of a cluster, in seconds, from its being ready: extensions "
        "end there too.",
    )
    pool: str = Field(
        "",
        description="Clusters that are built before somebody asks, by template: `default=2`, or "
        "`default=2,multi-node=1`. Each takes the memory of a cluster. Administrators change it "
        "while the server runs.",
    )
    pool_max_age_seconds: int = Field(
        12 * 3600,
        ge=60,
        le=7 * 24 * 3600,
        description="A prebuilt cluster that nobody took is replaced at this age, in seconds.",
    )

    idle_pause_seconds: int = Field(
        1800,
        ge=0,
        le=7 * 24 * 3600,
        description="A cluster that nobody has used for so many seconds is paused; it wakes when "
        "somebody does. Watches do not count as use. One with a living direct kubeconfig is left "
        "alone, since its use cannot be seen. `0`: never.",
    )

    idle_stop_seconds: int = Field(
        0,
        ge=0,
        le=7 * 24 * 3600,
        description="A paused cluster that nobody has used for so many seconds is stopped: it "
        "gives its memory back, and needs some seconds to start when somebody uses it. `0`: never.",
    )

    @field_validator("pool")
    @classmethod
    def _known_templates(cls, value: str) -> str:
        for part in filter(None, (each.strip() for each in value.split(","))):
            name, equals, count = part.partition("=")
            if name not in PRESETS or not equals or not count.isdecimal():
                raise ValueError(f"is TEMPLATE=COUNT, with a template of {', '.join(PRESETS)}")
            if int(count) > MAX_POOL:
                raise ValueError(f"has at most {MAX_POOL} of a template")
        return value

    @field_validator("image_cache")
    @classmethod
    def _known_registries(cls, value: str) -> str:
        for registry, url in _registries(value):
            if not REGISTRY.fullmatch(registry) or not UPSTREAM.fullmatch(url):
                raise ValueError("is REGISTRY or REGISTRY=URL, like docker.io or ghcr.io, or off")
        return value

    @property
    def cached_registries(self) -> Mapping[str, str]:
        """The registries that are cached, and the URL of each."""
        return dict(_registries(self.image_cache))

    @property
    def pool_sizes(self) -> Mapping[str, int]:
        """How many prebuilt clusters of each template there should be."""
        parts = (each.strip().partition("=") for each in self.pool.split(","))
        return {name: int(count) for name, _, count in parts if name}
