"""Docker, through its API, with a timeout on everything and errors that name the way out."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiodocker
import aiohttp
import anyio
from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError
from aiodocker.multiplexed import multiplexed_result_stream
from aiodocker.types import JSONObject

from server.drivers import docker_shell, own_container
from server.drivers.base import DriverError, Explanation
from server.drivers.docker_errors import missing_is_fine, unreachable
from server.drivers.docker_shell import DockerShell

SOCKETS: Final = ("/var/run/docker.sock", "/run/docker.sock")
TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=3)
CLUSTER_LABEL: Final = "io.x-k8s.kind.cluster"
"""kind puts it on each container it makes."""

EXEC_SECONDS: Final = 30.0
"""For a program in a node whose output is read to its end: its owner may have replaced it."""
MOST_EXECS: Final = 32
"""Such programs at once: each holds a connection to Docker, and Docker a process."""
BRIDGE_NAME: Final = "com.docker.network.bridge.name"

_VERSION = re.compile(r"v\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Network:
    """A Docker network of ours or of others."""

    id: str
    name: str
    labels: Mapping[str, str]
    subnets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Container:
    """A container that kind made."""

    id: str
    name: str
    cluster: str
    state: str
    """As Docker says it: `running`, `paused`, `exited`."""
    volumes: tuple[str, ...] = ()


class NotKilled(Exception):
    """Docker has sent KILL to a container, and it lives."""


class SubnetTaken(Exception):
    """Another network has this range of addresses, or the name."""


class DockerEngine:
    """One Docker. The connection is made at the first question.

    Short questions share a client, whose pool has 100 connections. What holds a connection for as
    long as a tenant likes, a shell or another program in a node, never takes one of those.
    """

    def __init__(self, url: str | None = None, *, exec_seconds: float = EXEC_SECONDS) -> None:
        self._url = url or os.environ.get("DOCKER_HOST") or _socket()
        self._client: aiodocker.Docker | None = None
        self._exec_seconds = exec_seconds
        self._execs = anyio.CapacityLimiter(MOST_EXECS)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[aiodocker.Docker]:
        """Give the shared client, and put its errors into words.

        Raises:
            DriverError: Docker does not answer or refuses.
        """
        with self._in_words():
            if self._client is None:
                self._client = self._new_client()
            yield self._client

    def _new_client(self) -> aiodocker.Docker:
        return aiodocker.Docker(url=self._url, timeout=TIMEOUT)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DriverError(unreachable(error, self._url, TIMEOUT.total)) from error
        except DockerError as error:
            # aiodocker's status 900 is no answer of Docker's; what it stands for is beneath it.
            beneath = error.__cause__ or error.__context__
            if isinstance(beneath, aiohttp.ClientError | OSError):
                raise DriverError(unreachable(beneath, self._url, TIMEOUT.total)) from error
            raise DriverError(
                Explanation(
                    code="docker_refused",
                    title="Docker refused",
                    cause=f"Docker said: {error.message} (status {error.status})",
                    fix="see whether Docker works as expected: docker info, docker ps -a",
                )
            ) from error

    async def info(self) -> dict[str, Any]:
        """Ask Docker about itself and its machine."""
        async with self.asking() as client:
            return dict(await client.system.info())

    async def node_images(self) -> dict[str, str]:
        """List the local node images of kind: Kubernetes version to image."""
        found: dict[str, str] = {}
        async with self.asking() as client:
            for image in await client.images.list():
                for tag in image.get("RepoTags") or ():
                    version = version_of(tag)
                    if tag.startswith("kindest/node:") and version is not None:
                        found[version] = tag
        return found

    async def networks(self, **labels: str) -> list[Network]:
        """List networks, of all or with certain labels."""
        filters = {"label": [f"{name}={value}" for name, value in labels.items()]}
        async with self.asking() as client:
            listed = await client.networks.list(filters=filters if labels else None)
        return [
            Network(
                id=each["Id"],
                name=each["Name"],
                labels=each.get("Labels") or {},
                subnets=tuple(
                    config["Subnet"]
                    for config in (each.get("IPAM") or {}).get("Config") or ()
                    if config.get("Subnet")
                ),
            )
            for each in listed
        ]

    async def create_network(
        self, name: str, subnet: str, labels: Mapping[str, str], *, bridge: str | None = None
    ) -> None:
        """Make a bridge network. `bridge`: what the host calls it, unless Docker is to say.

        Raises:
            SubnetTaken: another network has these addresses.
            DriverError: Docker does not answer or refuses.
        """
        async with self.asking() as client:
            try:
                await client.networks.create(
                    {
                        "Name": name,
                        "Driver": "bridge",
                        "CheckDuplicate": True,
                        "IPAM": {"Config": [{"Subnet": subnet}]},
                        "Options": {BRIDGE_NAME: bridge} if bridge is not None else {},
                        "Labels": dict(labels),
                    }
                )
            except DockerError as error:
                if "overlaps" in error.message or "conflicts with" in error.message:
                    raise SubnetTaken(subnet) from error
                raise

    async def remove_network(self, network: Network) -> None:
        """Remove a network, whoever is still connected to it. A missing one is no error."""
        async with self.asking() as client:
            with missing_is_fine():
                handle = await client.networks.get(network.id)
                for container in (await handle.show()).get("Containers") or ():
                    with missing_is_fine():
                        await handle.disconnect({"Container": container, "Force": True})
                await handle.delete()

    async def nodes(self, cluster: str | None = None) -> list[Container]:
        """List the containers that kind made, of one cluster or of all."""
        label = CLUSTER_LABEL if cluster is None else f"{CLUSTER_LABEL}={cluster}"
        async with self.asking() as client:
            listed = await client.containers.list(all=True, filters={"label": [label]})
            return [
                Container(
                    id=each.id,
                    name=str((each["Names"] or ["?"])[0]).lstrip("/"),
                    cluster=each["Labels"][CLUSTER_LABEL],
                    state=str(each["State"]),
                    volumes=_volumes_of(each),
                )
                for each in listed
            ]

    async def inspect(self, container: Container) -> dict[str, Any]:
        """Tell all that Docker knows of a container."""
        async with self.asking() as client:
            return dict(await client.containers.container(container.id).show())

    async def logs(self, container: Container, *, lines: int, limit: int) -> bytes:
        """Return the last lines that a container printed, at most `limit` bytes of them.

        The container's owner decides how long a line is, so what comes is never held whole.
        """
        out = bytearray()
        params = {"stdout": "1", "stderr": "1", "tail": str(lines)}
        async with self.asking() as client:
            shown = await client.containers.container(container.id).show()
            # Not `DockerContainer.log`: it makes one list of everything, or follows.
            async with client._query(
                f"containers/{container.id}/logs", "GET", params=params, timeout=TIMEOUT
            ) as response:
                is_tty = shown["Config"]["Tty"]
                async for piece in multiplexed_result_stream(response, is_tty):  # type: ignore[no-untyped-call]
                    out += piece.encode("utf-8", "replace")
                    if len(out) > 2 * limit:
                        del out[: len(out) - limit]
        return bytes(out[-limit:])

    async def output(self, container: Container, argv: Sequence[str], *, limit: int) -> bytes:
        """Run a program in a container; give the end of what it prints, whatever its result."""
        async with self._execs:
            return await self._run(container.id, argv, {}, limit=limit)

    async def execute(self, container: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Run a program in a container to its end, whatever its result."""
        await self._run(container, argv, env, limit=0)

    async def _run(
        self, container: str, argv: Sequence[str], env: Mapping[str, str], *, limit: int
    ) -> bytes:
        out = bytearray()
        with self._in_words():
            async with asyncio.timeout(self._exec_seconds), self._new_client() as client:
                handle = client.containers.container(container)
                run = await handle.exec(list(argv), environment=dict(env))
                async with run.start(detach=False, timeout=TIMEOUT) as stream:
                    while (message := await stream.read_out()) is not None:
                        out += message.data
                        if len(out) > 2 * limit:
                            del out[: len(out) - limit]
        return bytes(out[-limit:]) if limit else b""

    async def shell(
        self,
        container: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        rows: int,
        cols: int,
        end: Callable[[], Awaitable[None]],
    ) -> DockerShell:
        """Start a program in a container, on a terminal. `end` has to end it."""
        with self._in_words():
            client = self._new_client()
            try:
                return await docker_shell.start(
                    client, container, argv, env, rows=rows, cols=cols, end=end
                )
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await client.close()
                raise

    async def remove_container(self, container: Container) -> None:
        """Remove a container and its volumes, running or not. A missing one is no error.

        Raises:
            NotKilled: it does not end.
            DriverError: Docker does not answer or refuses.
        """
        async with self.asking() as client:
            try:
                with missing_is_fine():
                    await client.containers.container(container.id).delete(force=True, v=True)
            except DockerError as error:
                if "could not kill" in error.message:
                    raise NotKilled(error.message) from error
                raise

    async def remove_volume(self, name: str) -> bool:
        """Remove a volume; False: a container uses it. A missing one is no error."""
        async with self.asking() as client:
            try:
                with missing_is_fine():
                    async with client._query(f"volumes/{name}", "DELETE", timeout=TIMEOUT):
                        pass
            except DockerError as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
                return False
        return True

    async def run(self, config: JSONObject) -> None:
        """Make a container, let it come to its end, and remove it."""
        async with self.asking() as client:
            container = await client.containers.create(config)
            try:
                await container.start()
                await container.wait(timeout=TIMEOUT)
            finally:
                await container.delete(force=True, v=True)

    async def join(self, network: str) -> None:
        """Connect the container in which this server runs to a network. Twice is no error."""
        async with self.asking() as client:
            await own_container.join(client, network)

    async def joined(self) -> frozenset[str]:
        """Name the networks of the container in which this server runs."""
        async with self.asking() as client:
            return await own_container.networks(client)


def _volumes_of(container: DockerContainer) -> tuple[str, ...]:
    try:
        mounts: list[dict[str, Any]] = container["Mounts"]
    except KeyError:
        return ()
    return tuple(str(each["Name"]) for each in mounts if each.get("Type") == "volume")


def version_of(image: str) -> str | None:
    """Read the Kubernetes version from an image's name."""
    match = _VERSION.search(image.partition("@")[0].rpartition("/")[2])
    return match.group() if match else None


def _socket() -> str:
    found = next((path for path in SOCKETS if Path(path).is_socket()), SOCKETS[0])
    return f"unix://{found}"
