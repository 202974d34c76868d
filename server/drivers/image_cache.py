"""Pull-through caches: what one cluster has pulled, the next one need not.

Each registry has a container that passes on what it does not have. It is in the network of each
cluster, under a name that the nodes' containerd is told to ask first; a cache that is not there
costs nothing but the old way. A cache is a comfort: whatever goes wrong with it, clusters go on.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError

from pyk8s.wire.service import Check
from server.config.capacity import CACHE_BYTES
from server.drivers.base import DriverError, kind_name
from server.drivers.docker import Container, DockerEngine
from server.drivers.docker_errors import missing_is_fine
from server.drivers.kind_pieces import INSTANCE_LABEL, network_name
from server.telemetry import get_logger

CACHE_LABEL: Final = "pyk8s.cache"
PORT: Final = 5000
MEMORY_BYTES: Final = 512 * 1024**2
PIDS: Final = 256
SYSCTLS: Final = {"net.ipv4.ip_forward": "0"}
"""It is in the networks of all clusters, and must not pass packets from one to another."""
STORED: Final = "/var/lib/registry"
MEASURE_SECONDS: Final = 600.0
MEASURED_BYTES: Final = 1024
KEPT: Final = "168h"
"""What nobody has asked for in a week goes, which is the registry's own rule."""
PULL_AGAIN_SECONDS: Final = 600.0
LONG_SECONDS: Final = 600.0
OFFER_SECONDS: Final = 5.0
"""A create does not wait longer for it; the next sweep goes on."""
WRITE: Final = 'mkdir -p "$1" && printf %s "$2" > "$1/new" && mv "$1/new" "$1/hosts.toml"'
WRITTEN_BYTES: Final = 4096

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CacheOptions:
    """Which registries are cached. None: there is no cache."""

    upstreams: Mapping[str, str]
    """Registry, as it stands in names of images, to its URL."""
    image: str
    """The image of the registry program: that of the project `distribution`."""
    most_bytes: int = CACHE_BYTES
    """A cache that stores more is emptied."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The container of one registry's cache."""

    id: str
    networks: frozenset[str]
    volume: str
    problem: str | None
    """It had ended, and was started again. The registry ends when it cannot reach its upstream."""


NO_CACHE: Final = CacheOptions({}, "")


def alias_of(registry: str) -> str:
    """Name a cache in the networks of clusters."""
    return f"pyk8s-cache-{registry.replace('.', '-').replace(':', '-')}"


def hosts_of(registry: str, upstream: str) -> str:
    """Write what containerd is told of a registry (`hosts.toml`): the cache first, then itself."""
    return (
        f'server = "{upstream}"\n\n'
        f'[host."http://{alias_of(registry)}:{PORT}"]\n'
        f'  capabilities = ["pull", "resolve"]\n'
    )


class ImageCaches:
    """The caches of one installation. What exists is found by labels."""

    def __init__(
        self,
        docker: DockerEngine,
        instance: str,
        options: CacheOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._docker = docker
        self._instance = instance
        self._options = options
        self._clock = clock
        self._pulling: asyncio.Task[None] | None = None
        self._pull_after = 0.0
        self._problem: str | None = None
        self._measure_after: dict[str, float] = {}

    async def close(self) -> None:
        """Give up what is under way. The caches live on, for the next server."""
        if self._pulling is not None:
            self._pulling.cancel()
            await asyncio.wait([self._pulling])

    async def offer(self, attempt_ids: Collection[UUID]) -> None:
        """Have the nodes of running clusters ask the caches first. Never raises."""
        if not attempt_ids:
            return
        try:
            async with asyncio.timeout(OFFER_SECONDS):
                problem = None
                for registry, upstream in self._options.upstreams.items():
                    cache = await self._found(registry, upstream)
                    if cache is None:
                        return
                    if await self._is_too_large(cache):
                        await self._empty(cache, registry)
                        continue
                    problem = problem or cache.problem
                    for attempt_id in attempt_ids:
                        if network_name(attempt_id) not in cache.networks:
                            await self._connect(cache, registry, upstream, attempt_id)
                self._problem = problem
        except (DriverError, TimeoutError) as error:
            self._problem = str(error) or "Docker does not answer in time"
            log.warning("images_not_cached", reason=self._problem)

    def check(self) -> Check | None:
        """Tell how it goes with the caches; None: there are to be none."""
        if not self._options.upstreams:
            return None
        names = ", ".join(self._options.upstreams)
        if self._problem is None:
            return Check(name="image_cache", ok=True, required=False, detail=f"caches {names}")
        return Check(
            name="image_cache",
            ok=False,
            required=False,
            detail=f"images of {names} are not cached: {self._problem}",
            fix=f"see that this host reaches {names}; {self._options.image} has to be pulled "
            "once. Or PYK8S_IMAGE_CACHE=off",
        )

    async def _found(self, registry: str, upstream: str) -> Cache | None:
        """Find or make the cache of a registry, and start it. None: its image is not here yet."""
        labels = {INSTANCE_LABEL: self._instance, CACHE_LABEL: registry}
        wanted = [f"{name}={value}" for name, value in labels.items()]
        async with self._docker.asking() as client:
            found = await client.containers.list(all=True, filters={"label": wanted})
            if found and not await _is_as_now(found[0]):
                log.info("image_cache_replaced", registry=registry)
                await found.pop(0).delete(force=True)  # what it has stored stays
            name = f"{alias_of(registry)}-{self._instance[:8]}"
            if found:
                cache = found[0]
            else:
                config = _container(name, labels, upstream, self._options.image)
                try:
                    cache = await client.containers.create(config, name=name)
                except DockerError as error:
                    if error.status != HTTPStatus.NOT_FOUND:
                        raise
                    self._pull()
                    return None
                log.info("image_cache_made", registry=registry, container=name)
            shown: Mapping[str, Any] = await cache.show()
            state, problem = shown["State"], None
            if not state["Running"]:
                await cache.start()
                if state["Status"] == "exited":
                    problem = f"the cache of {registry} had ended with {state['ExitCode']}"
        networks = frozenset(shown["NetworkSettings"]["Networks"])
        return Cache(cache.id, networks, name, problem)

    async def _is_too_large(self, cache: Cache) -> bool:
        """Measure what it has stored, now and then. The registry itself has no limit for it."""
        if self._clock() < self._measure_after.get(cache.id, 0.0):
            return False
        self._measure_after[cache.id] = self._clock() + MEASURE_SECONDS
        argv = ["du", "-s", "-k", STORED]
        container = Container(cache.id, cache.volume, "", "running")
        told = await self._docker.output(container, argv, limit=MEASURED_BYTES)
        kilobytes = told.split(maxsplit=1)[:1]
        if not kilobytes or not kilobytes[0].isdigit():
            log.warning("image_cache_not_measured", told=told.decode("utf-8", "replace")[:200])
            return False
        return int(kilobytes[0]) * 1024 > self._options.most_bytes

    async def _empty(self, cache: Cache, registry: str) -> None:
        """Remove it with all that it has; the next sweep makes an empty one."""
        log.info("image_cache_emptied", registry=registry, most_bytes=self._options.most_bytes)
        async with self._docker.asking() as client:
            with missing_is_fine():
                await client.containers.container(cache.id).delete(force=True)
        await self._docker.remove_volume(cache.volume)

    async def _connect(self, cache: Cache, registry: str, upstream: str, attempt_id: UUID) -> None:
        """Bring a cache into a cluster's network, after the nodes know of it."""
        directory = f"/etc/containerd/certs.d/{registry}"
        for node in await self._docker.nodes(kind_name(attempt_id)):
            argv = ["sh", "-c", WRITE, "sh", directory, hosts_of(registry, upstream)]
            await self._docker.output(node, argv, limit=WRITTEN_BYTES)
        wish = {"Container": cache.id, "EndpointConfig": {"Aliases": [alias_of(registry)]}}
        async with self._docker.asking() as client:
            network = await client.networks.get(network_name(attempt_id))
            await network.connect(wish)

    def _pull(self) -> None:
        """Get the image, while clusters go on without."""
        self._problem = self._problem or f"{self._options.image} is being pulled"
        is_pulling = self._pulling is not None and not self._pulling.done()
        if not is_pulling and self._clock() >= self._pull_after:
            self._pull_after = self._clock() + PULL_AGAIN_SECONDS
            self._pulling = asyncio.create_task(self._pull_now())

    async def _pull_now(self) -> None:
        try:
            async with self._docker.asking() as client:
                await client.images.pull(self._options.image, timeout=LONG_SECONDS)
        except DriverError as error:
            self._problem = f"{self._options.image} cannot be pulled: {error.explanation.cause}"
            log.warning("image_cache_not_pulled", reason=self._problem)


async def _is_as_now(cache: DockerContainer) -> bool:
    """Return whether a cache was made as this version makes it."""
    shown: Mapping[str, Any] = await cache.show()
    return (shown["HostConfig"].get("Sysctls") or {}) == SYSCTLS


def _container(name: str, labels: Mapping[str, str], upstream: str, image: str) -> dict[str, Any]:
    return {
        "Image": image,
        "Labels": dict(labels),
        "Env": [
            f"REGISTRY_PROXY_REMOTEURL={upstream}",
            f"REGISTRY_PROXY_TTL={KEPT}",
            f"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY={STORED}",
            "OTEL_TRACES_EXPORTER=none",
        ],
        "HostConfig": {
            "Memory": MEMORY_BYTES,
            "PidsLimit": PIDS,
            "Sysctls": SYSCTLS,
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": "size=64m"},  # noqa: S108 - a file system of the container's own
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
            "SecurityOpt": ["no-new-privileges"],
            "CapDrop": ["ALL"],
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": name,
                    "Target": STORED,
                    "VolumeOptions": {"Labels": dict(labels)},
                }
            ],
        },
    }
