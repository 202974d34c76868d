"""Keeps clusters away from the host they run on, from its cloud's metadata and from each other.

The rules are the host's own firewall's. The server is no root there, and may be in a container, so
a short-lived container makes them: it has the host's network namespace and NET_ADMIN, which whoever
may use Docker's socket can have. They are looked after while the server runs: whatever reloads a
firewall takes them away. Rules that are there are not believed: a container in a network like those
of clusters tries to reach the host.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final
from uuid import UUID

from pyk8s.wire.service import Check
from server.drivers import docker_helper
from server.drivers.base import DriverError
from server.drivers.docker import DockerEngine
from server.drivers.docker_helper import Helper
from server.drivers.kind_network import make_network
from server.telemetry import get_logger

SCRIPT: Final = Path(__file__).with_name("isolation.sh")
HELPER_LABEL: Final = "pyk8s.helper"
CAPABILITIES: Final = ("NET_ADMIN", "NET_RAW")
"""The second one is what the older iptables needs to talk to the kernel."""
KEEP_SECONDS: Final = 60.0
"""Between two looks at the rules. Each is a container of half a second."""
TRY_SECONDS: Final = 600.0
"""Between two attempts to reach the host. Each is a network and two containers."""
ROUND_SECONDS: Final = 60.0
READY_SECONDS: Final = 20.0
"""A cluster waits no longer for the rules when they are not there yet; `check` tells of it."""
LISTEN_SECONDS: Final = 30
CONNECT: Final = """
for port in "$2" "$3"; do
  if timeout 3 bash -c "exec 3<> /dev/tcp/$1/$port" 2> /dev/null
  then echo open
  else echo closed
  fi
done
"""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Names:
    """What the rules and bridges of one installation are called."""

    instance: str

    @property
    def mark(self) -> str:
        """The end of the installation's id: its beginning is a time, and like others'."""
        return self.instance.replace("-", "")[-12:]

    @property
    def chain(self) -> str:
        """The chains are this with -I and -F; clean-restart.sh removes them by this name."""
        return f"PYK8S-{self.mark}"

    @property
    def bridges(self) -> str:
        """What the names of the clusters' bridges begin with."""
        return f"pk{self.mark[-4:]}-"

    def bridge(self, attempt_id: UUID) -> str:
        """Name the bridge of an attempt's network: 15 characters are all that the kernel takes."""
        return f"{self.bridges}{attempt_id.hex[-8:]}"

    @property
    def trial_bridge(self) -> str:
        """The bridge of the network from which the host is tried to be reached."""
        return f"{self.bridges}trial"


class NotIsolated(Exception):
    """The rules cannot be made, or do not hold."""


class ClusterIsolation:
    """Makes the rules of one installation, and sees whether they hold."""

    def __init__(
        self,
        docker: DockerEngine,
        names: Names,
        *,
        pool: str,
        image: str | None,
        is_wanted: bool,
        choose_start: Callable[[int], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._docker = docker
        self._names = names
        self._pool = pool
        self._image = image
        self._is_wanted = is_wanted
        self._choose_start = choose_start
        self._clock = clock
        self._round: asyncio.Task[None] | None = None
        self._next_round = self._next_trial = 0.0
        self._is_tried = False
        self._problem: str | None = None

    async def close(self) -> None:
        """Give up what is under way. The rules stay, as clusters do."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.wait([self._round])

    def keep(self) -> None:
        """Begin to look after the rules if it is time to."""
        if not self._is_wanted or self._clock() < self._next_round:
            return
        if self._round is None or self._round.done():
            self._next_round = self._clock() + KEEP_SECONDS
            self._round = asyncio.create_task(self._look())

    async def ready(self) -> None:
        """Wait, for a while only, until the rules have been made once. Never raises."""
        if not self._is_wanted or self._is_tried:
            return
        self.keep()
        if self._round is not None:
            await asyncio.wait([self._round], timeout=READY_SECONDS)

    def check(self) -> Check:
        """Return whether clusters are kept away from the host."""
        ok, fix = True, None
        if not self._is_wanted:
            detail = "PYK8S_CLUSTER_ISOLATION=off: this host's own firewall has to do it"
        elif self._problem is not None:
            ok, detail = False, f"clusters may reach this host: {self._problem}"
            fix = self._advice
        elif not self._is_tried:
            ok, detail = False, "it is not known yet whether clusters can reach this host"
            fix = "wait a minute; it is tried out"
        else:
            detail = "clusters reach no address of this host and no metadata of its cloud"
        return Check(name="cluster_isolation", ok=ok, required=False, detail=detail, fix=fix)

    @property
    def _advice(self) -> str:
        return (
            f"see `iptables -S | grep {self._names.chain}` on the machine of Docker; or make rules "
            "by hand, and set PYK8S_CLUSTER_ISOLATION=off: "
            f"iptables -I INPUT -i {self._names.bridges}+ -m conntrack --ctstate NEW -j DROP; "
            f"iptables -I DOCKER-USER -i {self._names.bridges}+ -d 169.254.0.0/16,100.100.100.200,"
            "168.63.129.16,192.0.0.192 -j DROP"
        )

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                image = await self._found_image()
                await docker_helper.remove_left(self._docker, self._label)
                is_new = await self._make_rules(image)
                if is_new or self._problem is not None or self._clock() >= self._next_trial:
                    await self._try_to_reach_host(image)
                    self._next_trial = self._clock() + TRY_SECONDS
            self._problem, self._is_tried = None, True
        except (DriverError, NotIsolated, TimeoutError) as error:
            self._problem = str(error) or f"it took longer than {ROUND_SECONDS:g} s"
            log.warning("clusters_not_isolated", reason=self._problem)

    async def _found_image(self) -> str:
        if self._image is not None:
            return self._image
        images = await self._docker.node_images()
        if not images:
            self._next_round = 0.0  # it comes with the first cluster
            raise NotIsolated(
                "no node image is on this host, and it has the iptables for the rules"
            )
        return max(images.values())

    @property
    def _label(self) -> str:
        return f"{HELPER_LABEL}={self._names.instance}"

    @cached_property
    def _script(self) -> str:
        return SCRIPT.read_text()

    def _on_host(self, image: str, *arguments: str) -> Helper:
        labels = {HELPER_LABEL: self._names.instance}
        return Helper(image, self._script, arguments, "host", labels, CAPABILITIES)

    async def _make_rules(self, image: str) -> bool:
        """Make them, or put back what is missing; return whether something was."""
        names = self._names
        wanted = self._on_host(image, "apply", names.chain, names.bridges, self._pool)
        status, said = await docker_helper.run_to_end(self._docker, wanted)
        if status != 0:
            raise NotIsolated(f"the rules cannot be made: {said.strip() or f'status {status}'}")
        is_new = said.startswith("made ")
        if is_new:
            log.info("cluster_isolation_made", chain=names.chain, by=said.split()[-1])
        return is_new

    async def _try_to_reach_host(self, image: str) -> None:
        """Listen on the host, once let through and once not, and connect from beside the clusters.

        Raises:
            NotIsolated: the rules do not hold, or nothing was learned about them.
            DriverError: Docker does not answer or refuses.
        """
        labels = {HELPER_LABEL: self._names.instance}
        network = f"zz-pyk8s-trial-{self._names.mark}"
        await self._remove_trial()
        try:
            subnet = await make_network(
                self._docker,
                network,
                labels,
                pool=self._pool,
                choose_start=self._choose_start,
                bridge=self._names.trial_bridge,
            )
            gateway = str(IPv4Network(subnet)[1])
            listener = self._on_host(
                image, "listen", self._names.chain, gateway, subnet, str(LISTEN_SECONDS)
            )
            async with docker_helper.started(self._docker, listener) as listening:
                said = await docker_helper.first_line(listening)
                word, *ports = said.split() or [""]
                if word != "listening":
                    raise NotIsolated(f"nothing could listen on {gateway} to try it out: {said}")
                within = Helper(image, CONNECT, [gateway, *ports], network, labels)
                _, tried = await docker_helper.run_to_end(self._docker, within)
        finally:
            await self._remove_trial()
        match tried.split():
            case ["open", "closed"]:
                return
            case ["open", "open"]:
                raise NotIsolated("the rules are there, but a container reached the host past them")
            case _:
                raise NotIsolated(
                    "it cannot be tried out: nor did a connection arrive that was let through, so "
                    "another firewall closes this host"
                )

    async def _remove_trial(self) -> None:
        for left in await self._docker.networks(**{HELPER_LABEL: self._names.instance}):
            await self._docker.remove_network(left)
