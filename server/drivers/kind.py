"""The kind driver: real clusters, each in its own Docker network.

Every try has a name that is never used again: the loser of two creates of one name would delete
the winner's nodes, and kind does not clean up when it is ended.
"""

import asyncio
import os
import random
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio.to_thread

from server.admission import Space
from server.drivers import (
    kind_evidence,
    kind_facts,
    kind_images,
    kind_pause,
    kind_pieces,
    kind_usage,
    kube_api,
    kube_identity,
)
from server.drivers.base import (
    Access,
    AttemptSpec,
    Command,
    DriverError,
    EvidenceFile,
    Explanation,
    Facts,
    Found,
    NodeImage,
    Shell,
    ShellWish,
    Usage,
    kind_name,
)
from server.drivers.docker import DockerEngine
from server.drivers.image_cache import NO_CACHE, CacheOptions, ImageCaches
from server.drivers.isolation import ClusterIsolation, Names
from server.drivers.kind_config import config_of
from server.drivers.kind_delete import kind_delete
from server.drivers.kind_network import make_network
from server.drivers.kind_node import node_script
from server.drivers.kind_pieces import (
    ATTEMPT_LABEL,
    CLUSTER_ID_LABEL,
    INSTANCE_LABEL,
    network_name,
)
from server.drivers.kind_shell import open_shell
from server.drivers.kube_api import Credentials
from server.drivers.node_limits import USUAL_LIMITS, LimitOptions, NodeLimits
from server.drivers.node_volumes import NodeVolumes
from server.drivers.subnets import check_pool
from server.templates import is_tuned

CONFIG: Final = "config.yaml"
KUBECONFIG: Final = "kubeconfig"
"""The administrator's, which kind writes: there from the end of a create until it is stored."""
SCRIPT: Final = "node.sh"
TUNED: Final = Path(__file__).with_name("kind_tuned.py")
WAIT: Final = "2m"
API_PORT: Final = 6443
MAX_SWEEPS: Final = 5
_PASSED_ON: Final = (
    "PATH",
    "DOCKER_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "DOCKER_API_VERSION",
)


@dataclass(frozen=True, slots=True)
class KindOptions:
    """What an operator chose."""

    instance: str
    """Labels everything of this installation, so that it finds its own things again."""
    network_pool: str = "10.210.0.0/16"
    node_image: str | None = None
    docker_url: str | None = None
    kind_path: Path | None = None
    in_container: bool = False
    cache: CacheOptions = NO_CACHE
    limits: LimitOptions = USUAL_LIMITS
    is_isolated: bool = False
    """Whether the server makes firewall rules between the clusters and this host."""


class KindDriver:
    """Makes clusters with the program kind and looks after their Docker objects itself."""

    name: Final = "kind"
    essential_checks: Final = kind_facts.ESSENTIAL

    def __init__(
        self,
        options: KindOptions,
        *,
        choose_start: Callable[[int], int] = random.randrange,
    ) -> None:
        """Find the programs.

        Raises:
            DriverError: one is missing, or the options cannot be.
        """
        self._options = options
        check_pool(options.network_pool)
        self._kind = kind_facts.find_kind(options.kind_path)
        self._docker = DockerEngine(options.docker_url)
        self._caches = ImageCaches(self._docker, options.instance, options.cache)
        self._limits = NodeLimits(self._docker, options.limits)
        self._volumes = NodeVolumes(self._docker)
        self._names = Names(options.instance)
        self._isolation = ClusterIsolation(
            self._docker,
            self._names,
            pool=options.network_pool,
            image=options.node_image,
            is_wanted=options.is_isolated,
            choose_start=choose_start,
        )
        self._volume_sizes = kind_usage.volume_sizes_of_all()
        self._choose_start = choose_start

    async def close(self) -> None:
        """Let go of Docker."""
        await self._isolation.close()
        await self._caches.close()
        await self._docker.close()

    async def facts(self) -> Facts:
        """Look at Docker, kind and the node images."""
        found = await kind_facts.facts(
            self._docker, kind=self._kind, node_image=self._options.node_image
        )
        self._isolation.keep()
        further = (self._isolation.check(), self._limits.check(), self._caches.check())
        checks = [*found.checks, *(each for each in further if each is not None)]
        return replace(found, checks=checks)

    async def space(self) -> Space:
        """Ask Docker for its machine, and the kernel for what is free on it."""
        return await kind_usage.space(self._docker)

    async def usage(self, attempt_id: UUID) -> Usage | None:
        """Add up what Docker counts for each node."""
        return await kind_usage.usage(self._docker, kind_name(attempt_id))

    async def disk(self, attempt_id: UUID) -> int | None:
        """Add up the volumes of its nodes: kind puts everything that nodes write into them."""
        return await kind_usage.disk(self._docker, self._volume_sizes, kind_name(attempt_id))

    async def prepare(self, spec: AttemptSpec) -> Command:
        """Make the directory, the network and kind's configuration."""
        await kind_facts.preflight(self._docker, kind=self._kind)
        image = await kind_facts.image_of(
            self._docker, spec.kubernetes_version, configured=self._options.node_image
        )
        await anyio.to_thread.run_sync(partial(_write_files, spec, image))
        labels = {
            INSTANCE_LABEL: self._options.instance,
            ATTEMPT_LABEL: str(spec.attempt_id),
            CLUSTER_ID_LABEL: str(spec.cluster_id),
        }
        await make_network(
            self._docker,
            network_name(spec.attempt_id),
            labels,
            pool=self._options.network_pool,
            choose_start=self._choose_start,
            bridge=self._names.bridge(spec.attempt_id),
        )
        return Command(
            argv=[
                *_tuning(spec),
                str(self._kind), "create", "cluster",
                "--name", spec.kind_name,
                "--config", str(spec.directory / CONFIG),
                "--kubeconfig", str(spec.directory / KUBECONFIG),
                "--wait", WAIT,
                # What failed stays, so that it can be looked into; `delete` removes it.
                "--retain",
            ],
            env=self._env(spec.directory)
            | {"KIND_EXPERIMENTAL_DOCKER_NETWORK": network_name(spec.attempt_id)},
            cwd=spec.directory,
        )  # fmt: skip

    async def finish(self, spec: AttemptSpec) -> Access:
        """Ask the API server itself: kind exits well even when its own waiting timed out."""
        file = spec.directory / KUBECONFIG
        kubeconfig = await anyio.to_thread.run_sync(kube_api.read_file, file)
        credentials = kube_api.read_kubeconfig(kubeconfig)
        url = await self._url_of(spec.attempt_id, credentials)
        await self._volumes.keep(spec.attempt_id, spec.directory)
        beside = asyncio.gather(
            self._isolation.ready(),
            self._limits.apply([spec.kind_name]),
            self._caches.offer([spec.attempt_id]),
        )
        try:
            async with kube_api.connect(credentials, url) as client:
                await kube_api.wait_until_usable(client, nodes=spec.control_planes + spec.workers)
                setup = client.with_timeout(kube_api.SETUP_SECONDS)
                await kube_api.forget_bootstrap_token(setup)
                key = await kind_pieces.authority_key(self._docker, spec.kind_name)
                authority = None if key is None else (credentials.authority, key)
                identity = await kube_identity.admit(setup, authority)
                await kube_api.wait_for_account(setup)
        finally:
            await beside
        return Access(kubeconfig=kubeconfig, internal_url=url, proxy_identity=identity)

    async def forget_access(self, directory: Path) -> None:
        """Remove the administrator's kubeconfig that kind wrote: only its sealed copy is kept."""
        await anyio.to_thread.run_sync(partial((directory / KUBECONFIG).unlink, missing_ok=True))

    async def answers(self, attempt_id: UUID, kubeconfig: str) -> bool:
        """Ask for the readiness of the API server and of its nodes."""
        try:
            credentials = kube_api.read_kubeconfig(kubeconfig)
            url = await self._url_of(attempt_id, credentials)
            async with kube_api.connect(credentials, url) as client:
                return await kube_api.is_usable(client)
        except DriverError:
            return False

    async def _url_of(self, attempt_id: UUID, credentials: Credentials) -> str:
        """Say where this server reaches the API server."""
        if not self._options.in_container:
            return credentials.server
        await self._docker.join(network_name(attempt_id))
        return f"https://{kind_name(attempt_id)}-control-plane:{API_PORT}"

    async def keep_reachable(self, attempt_ids: Collection[UUID]) -> None:
        """Join the clusters' networks again when the server's container was made anew.

        The caches of images join those in which they are not yet, and nodes get their limits.
        """
        self._isolation.keep()
        await self._limits.apply([kind_name(each) for each in attempt_ids])
        await self._caches.offer(attempt_ids)
        if self._options.in_container and attempt_ids:
            await kind_pieces.rejoin(self._docker, attempt_ids)

    async def pause(self, attempt_id: UUID) -> None:
        """Freeze every node."""
        await kind_pause.pause(self._docker, kind_name(attempt_id))

    async def stop(self, attempt_id: UUID) -> None:
        """End every node."""
        await kind_pause.stop(self._docker, kind_name(attempt_id))

    async def wake(self, attempt_id: UUID, kubeconfig: str, *, with_nodes: bool = False) -> None:
        """Thaw every node, or start those that have ended, and ask the API server."""
        await kind_pause.wake(self._docker, kind_name(attempt_id))
        await self._limits.apply([kind_name(attempt_id)])
        credentials = kube_api.read_kubeconfig(kubeconfig)
        url = await self._url_of(attempt_id, credentials)
        await kind_pause.wait_until_awake(credentials, url, with_nodes=with_nodes)

    async def shell(self, attempt_id: UUID, wish: ShellWish) -> Shell:
        """Start a shell in the control-plane node."""
        return await open_shell(self._docker, attempt_id, wish)

    async def load_images(self, attempt_id: UUID, archive: AsyncIterator[bytes]) -> Sequence[str]:
        """Let the containerd of each node read it."""
        env = self._env(Path("/"))
        return await kind_images.load(self._docker, kind_name(attempt_id), archive, env)

    async def images(self, attempt_id: UUID) -> Sequence[NodeImage]:
        """Ask the container runtime of each node."""
        return await kind_images.images(self._docker, kind_name(attempt_id))

    def collect(self, spec: AttemptSpec) -> AsyncIterator[EvidenceFile]:
        """Ask the nodes, Docker and the host."""
        return kind_evidence.collect(self._docker, spec.kind_name)

    async def delete(self, attempt_id: UUID, directory: Path) -> None:
        """Let kind delete, then sweep by label until a sweep finds nothing."""
        name = kind_name(attempt_id)
        await kind_delete(self._kind, name, directory, self._env(directory))
        await kind_pieces.sweep(self._docker, attempt_id)  # even if kind said that all went well
        for _ in range(MAX_SWEEPS):
            if not await kind_pieces.sweep(self._docker, attempt_id):
                break
        else:
            raise DriverError(
                Explanation(
                    code="not_removed",
                    title="The cluster could not be removed",
                    cause=f"containers or networks of {name} come back or stay",
                    fix=f"see docker ps -a --filter name={name}",
                )
            )
        await self._volumes.remove(attempt_id, directory)
        await anyio.to_thread.run_sync(partial(shutil.rmtree, directory, ignore_errors=True))

    async def list_attempts(self, known: Collection[UUID] = ()) -> Sequence[Found]:
        """Find networks by their label, and the nodes that belong to them by kind's."""
        found = await kind_pieces.find(self._docker, self._options.instance, known)
        for each in found:
            self._volumes.saw(each.attempt_id, each.volumes)
        return found

    def _env(self, directory: Path) -> dict[str, str]:
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        if self._options.docker_url is not None:
            env["DOCKER_HOST"] = self._options.docker_url
        return env | {"HOME": str(directory)}


def _write_files(spec: AttemptSpec, image: str) -> None:
    spec.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (spec.directory / CONFIG).write_text(config_of(spec, image))
    if is_tuned(spec.template, spec.control_planes + spec.workers):
        (spec.directory / SCRIPT).write_text(node_script(spec.kubernetes_version))


def _tuning(spec: AttemptSpec) -> list[str]:
    """Give what stands before kind's own command line."""
    if not is_tuned(spec.template, spec.control_planes + spec.workers):
        return []
    node = f"{spec.kind_name}-control-plane"
    return [sys.executable, "-I", "-S", str(TUNED), node, str(spec.directory / SCRIPT)]
