"""Clusters reach neither the host nor its cloud's metadata; tried on real Docker."""

import asyncio
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import product
from subprocess import PIPE, Popen, run
from typing import Final
from uuid import UUID, uuid4

import pytest

from pyk8s.wire.service import Check
from server.drivers.docker import DockerEngine
from server.drivers.isolation import HELPER_LABEL, SCRIPT, ClusterIsolation, Names
from server.drivers.kind_network import make_network
from tests.drivers.conftest import why_no_kind
from tests.drivers.test_docker import docker

POOL = "10.221.192.0/20"
SECONDS = 60.0
LISTENS = "$s = IO::Socket::INET->new(LocalPort => {}, Listen => 5); sleep 600"
CONNECTS = "exec 3<> /dev/tcp/{}/{}"


def test_names_are_short_enough_for_the_kernel_and_differ_between_installations() -> None:
    names = Names("01a22cd7-002b-73f0-8e66-364bb1397a27")
    assert names.chain == "PYK8S-364bb1397a27"
    bridge = names.bridge(UUID("01a22cd7-5b7c-7586-9698-6d045473da2c"))
    assert bridge == "pk7a27-5473da2c"
    assert len(bridge) == 15
    assert names.trial_bridge.startswith(names.bridges)
    assert Names("01a22cd7-002b-73f0-8e66-364bb1397a28").bridges != names.bridges


class Site:
    """An installation's isolation, and a container in a network like those of its clusters."""

    def __init__(self, engine: DockerEngine, image: str) -> None:
        self.engine = engine
        self.image = image
        self.instance = f"test-{uuid4().hex[:12]}"
        self.names = Names(self.instance)
        self.now = 0.0
        self.isolation = self.of(is_wanted=True)
        self.nodes: list[str] = []

    def of(self, *, is_wanted: bool) -> ClusterIsolation:
        return ClusterIsolation(
            self.engine,
            self.names,
            pool=POOL,
            image=self.image,
            is_wanted=is_wanted,
            choose_start=lambda most: int.from_bytes(os.urandom(2)) % most,
            clock=lambda: self.now,
        )

    async def look(self) -> Check:
        """Have the rules looked after now; return what is told of them."""
        self.now += 3600
        self.isolation.keep()
        async with asyncio.timeout(SECONDS):
            assert self.isolation._round is not None
            await self.isolation._round
        return self.isolation.check()

    async def node(self) -> str:
        """Run a container in a network as a cluster has one; return the container."""
        return self.beside(await self.network())

    async def network(self) -> str:
        """Make a network as a cluster has one; return its name."""
        attempt_id = uuid4()
        network = f"zz-test-{attempt_id.hex}"
        await make_network(
            self.engine,
            network,
            {"pyk8s.test": self.instance},
            pool=POOL,
            choose_start=lambda most: int.from_bytes(os.urandom(2)) % most,
            bridge=self.names.bridge(attempt_id),
        )
        return network

    def beside(self, network: str) -> str:
        """Run a container in a network."""
        made = docker(
            "run", "-d", "--rm", "--network", network, "--privileged",
            "--entrypoint", "sleep", self.image, "600",
        )  # fmt: skip
        self.nodes.append(made)
        return made

    def script(self, *arguments: str) -> None:
        docker(
            "run", "--rm", "--network", "host", "--cap-add", "NET_ADMIN", "--entrypoint", "sh",
            self.image, "-c", SCRIPT.read_text(), "sh", *arguments,
        )  # fmt: skip

    async def close(self) -> None:
        await self.isolation.close()
        self.script("remove", self.names.chain)
        for node in self.nodes:
            docker("rm", "-f", node)
        for network in await self.engine.networks(**{"pyk8s.test": self.instance}):
            await self.engine.remove_network(network)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    engine = DockerEngine()
    image = docker("image", "ls", "-q", "kindest/node").splitlines()[0]
    made = Site(engine, image)
    yield made
    await made.close()
    await engine.close()


def gateway_of(node: str) -> str:
    routes = docker("exec", node, "ip", "route", "show", "default")
    found = re.search(r"via (\S+)", routes)
    assert found, routes
    return found.group(1)


def tool(*argv: str) -> str:
    return run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


def connects(node: str, address: str, port: int) -> bool:
    argv = ["docker", "exec", node, "timeout", "3", "bash", "-c", CONNECTS.format(address, port)]
    return run(argv, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.fixture
def port() -> Iterator[int]:
    """Listen on all addresses of this host, as a careless service does."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        yield server.getsockname()[1]


METADATA: Final = ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
"""Of most clouds, of Alibaba Cloud, of Azure and of Oracle."""


@contextmanager
def metadata() -> Iterator[str]:
    """Play the clouds' metadata services: a machine beyond the host that has their addresses."""
    name = f"pk{uuid4().hex[:8]}"
    there = ["ip", "netns", "exec", name]
    outside, inside = f"{name}a", f"{name}b"
    listen = (
        "import socket, time; s = [socket.create_server(('', p)) for p in (80, 53)]; "
        "print('up', flush=True); time.sleep(600)"
    )
    try:
        for argv in (
            ["ip", "netns", "add", name],
            ["ip", "link", "add", outside, "type", "veth", "peer", "name", inside],
            ["ip", "link", "set", inside, "netns", name],
            ["ip", "addr", "add", "169.254.169.1/24", "dev", outside],
            ["ip", "link", "set", outside, "up"],
            [*there, "ip", "addr", "add", "169.254.169.254/24", "dev", inside],
            [*there, "ip", "link", "set", inside, "up"],
            [*there, "ip", "route", "add", "default", "via", "169.254.169.1"],
            *([*there, "ip", "addr", "add", f"{each}/32", "dev", inside] for each in METADATA[1:]),
            *(["ip", "route", "add", each, "via", METADATA[0]] for each in METADATA[1:]),
        ):
            run(argv, check=True)
        process = Popen([*there, sys.executable, "-c", listen], stdout=PIPE)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield name
        finally:
            process.kill()
            process.communicate()
    finally:
        run(["ip", "netns", "del", name], check=False)
        run(["ip", "link", "del", outside], check=False, capture_output=True)


def host_is_ours() -> None:
    if os.geteuid() != 0 or shutil.which("iptables") is None:
        pytest.skip("only root of Docker's own machine may change its firewall behind the server")


@pytest.mark.docker
async def test_the_host_is_closed_by_all_its_addresses_and_what_is_beyond_it_is_not(
    site: Site, port: int
) -> None:
    node = await site.node()
    gateway = gateway_of(node)
    if not connects(node, gateway, port):
        pytest.skip("another firewall closes this host to containers already")
    docker("exec", node, "sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=0")
    check = await site.look()
    assert check.ok, check
    assert not connects(node, gateway, port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_route:
        any_route.connect(("192.0.2.99", 9))
        address = any_route.getsockname()[0]
    assert not connects(node, address, port)
    # Nodes may forge their addresses, but not the bridge that they send over.
    docker("exec", node, "ip", "addr", "add", "10.99.99.2/24", "dev", "eth0")
    assert not connects(node, gateway, port)
    # A container published on an address of the host is the host's as well.
    published = docker(
        "run", "-d", "--rm", "-p", "0.0.0.0::80", "--entrypoint", "perl",
        site.image, "-MIO::Socket::INET", "-e", LISTENS.format(80),
    )  # fmt: skip
    site.nodes.append(published)
    assert not connects(node, address, int(docker("port", published, "80/tcp").rpartition(":")[2]))
    # The node's own network and its resolver go on working.
    assert docker("exec", node, "getent", "hosts", docker("exec", node, "hostname"))


@pytest.mark.docker
async def test_link_local_ipv6_of_the_host_is_closed_too(site: Site, port: int) -> None:
    node = await site.node()
    bridge = next(name for _, name in socket.if_nameindex() if name.startswith(site.names.bridges))
    told = tool("ip", "-6", "-o", "addr", "show", "dev", bridge)
    found = re.search(r"inet6 (fe80\S+)/", told)
    if found is None:
        pytest.skip("the bridge has no IPv6 here")
    docker("exec", node, "sysctl", "-w", "net.ipv6.conf.eth0.disable_ipv6=0")
    target = f"{found.group(1)}%eth0"
    async with asyncio.timeout(20):  # until the address of the node is known to be its own
        while not await asyncio.to_thread(connects, node, target, port):
            await asyncio.sleep(0.2)
    assert (await site.look()).ok
    assert not connects(node, target, port)


@pytest.mark.docker
async def test_rules_that_somebody_flushed_come_back_and_ones_that_do_not_hold_are_told(
    site: Site, port: int
) -> None:
    host_is_ours()
    chain, bridges = site.names.chain, site.names.bridges
    node = await site.node()
    gateway = gateway_of(node)
    assert (await site.look()).ok
    for way in ("INPUT", "I"), ("DOCKER-USER", "F"):
        rule = ["-i", f"{bridges}+", "-j", f"{chain}-{way[1]}"]
        tool("iptables", "-w", "5", "-D", way[0], *rule)
    assert connects(node, gateway, port)
    assert (await site.look()).ok
    assert not connects(node, gateway, port)

    past = ["INPUT", "-i", f"{bridges}+", "-j", "ACCEPT"]
    tool("iptables", "-w", "5", "-I", *past)
    try:
        check = await site.look()
    finally:
        tool("iptables", "-w", "5", "-D", *past)
    assert not check.ok
    assert not check.required
    assert "reached the host past them" in check.detail
    assert check.fix is not None
    assert chain in check.fix
    assert (await site.look()).ok


@pytest.mark.docker
async def test_metadata_of_a_cloud_is_closed_and_its_resolver_is_not(site: Site) -> None:
    host_is_ours()
    node = await site.node()
    with metadata() as name:
        for address, port in product(METADATA, (80, 53)):
            assert connects(node, address, port), (name, address, port)
        assert (await site.look()).ok
        for address in METADATA:
            assert not connects(node, address, 80), address
            assert connects(node, address, 53), address


@pytest.mark.docker
async def test_one_cluster_does_not_reach_another(site: Site) -> None:
    one, other = await site.node(), await site.node()
    assert (await site.look()).ok
    docker("exec", "-d", other, "perl", "-MIO::Socket::INET", "-e", LISTENS.format(6443))
    address = docker("exec", other, "hostname", "-i").split()[0]
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(connects, other, address, 6443):
            await asyncio.sleep(0.1)
    assert not connects(one, address, 6443)


@pytest.mark.docker
async def test_nodes_of_one_cluster_reach_each_other(site: Site) -> None:
    network = await site.network()
    one, other = site.beside(network), site.beside(network)
    assert (await site.look()).ok
    docker("exec", "-d", other, "perl", "-MIO::Socket::INET", "-e", LISTENS.format(6443))
    address = docker("exec", other, "hostname", "-i").split()[0]
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(connects, one, address, 6443):
            await asyncio.sleep(0.1)


@pytest.mark.docker
async def test_nothing_is_left_on_the_host(site: Site) -> None:
    assert (await site.look()).ok
    label = f"{HELPER_LABEL}={site.instance}"
    assert docker("ps", "-aq", "--filter", f"label={label}") == ""
    assert docker("network", "ls", "-q", "--filter", f"label={label}") == ""
    site.script("remove", site.names.chain)
    site.script("remove", site.names.chain)
    if os.geteuid() == 0 and shutil.which("iptables"):
        assert site.names.chain not in tool("iptables", "-w", "5", "-S")


@pytest.mark.docker
async def test_a_docker_that_gives_no_capabilities_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.drivers.isolation.CAPABILITIES", ())
    check = await site.look()
    assert not check.ok
    assert "the rules cannot be made" in check.detail or "iptables" in check.detail
    assert check.fix is not None


async def test_switched_off_it_makes_nothing_and_says_so() -> None:
    engine = DockerEngine("unix:///nowhere")
    isolation = ClusterIsolation(
        engine,
        Names("test"),
        pool=POOL,
        image=None,
        is_wanted=False,
        choose_start=lambda _: 0,
    )
    isolation.keep()
    await isolation.ready()
    check = isolation.check()
    assert check.ok
    assert "PYK8S_CLUSTER_ISOLATION=off" in check.detail
    await isolation.close()
    await engine.close()
