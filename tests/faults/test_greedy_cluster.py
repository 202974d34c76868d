"""A real server, and a cluster that reaches for it or takes all that it can."""

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from server.drivers.isolation import SCRIPT, Names
from tests.drivers.conftest import why_no_kind
from tests.drivers.test_docker import docker
from tests.drivers.test_isolation import connects, gateway_of
from tests.drivers.test_node_limits import in_node
from tests.faults.real import RealSite, real_site
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

MEMORY = 1_400_000_000
PIDS = 900
ANSWERS = (
    "exec 3<> /dev/tcp/{0}/{1} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r x <&3"
)


@pytest.fixture(autouse=True)
def needed() -> None:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)


@asynccontextmanager
async def with_cluster(database_url: str, **settings: str) -> AsyncIterator[tuple[RealSite, str]]:
    """Run a server with one cluster; give the cluster's node too."""
    async with real_site(database_url, **settings) as site:
        await site.server.start()
        await site.sign_up()
        await site.create("greedy")
        await site.phase("greedy", "ready")
        [attempt] = await site.attempts("greedy")
        yield site, f"pyk8s-{attempt['id'].hex}-control-plane"


async def answers(node: str, address: str, port: int) -> bool:
    return (
        await in_node(node, f"timeout 5 bash -c {shlex.quote(ANSWERS.format(address, port))}") == 0
    )


@asynccontextmanager
async def careless_service() -> AsyncIterator[int]:
    """Answer whoever connects to any address of this host."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "0.0.0.0", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("isolation", ["off", "on"])
async def test_no_listener_of_ours_answers_in_a_clusters_network(
    database_url: str, isolation: str
) -> None:
    proxy, apps = free_port(), free_port()
    settings = {
        "PYK8S_HOST": "0.0.0.0",
        "PYK8S_PUBLISHED_HOST": "127.0.0.1",
        "PYK8S_PROXY_PORT": str(proxy),
        "PYK8S_APPS_PORT": str(apps),
        "PYK8S_NETWORK_POOL": "10.221.64.0/20",
        "PYK8S_CLUSTER_ISOLATION": isolation,
    }
    async with with_cluster(database_url, **settings) as (site, node):
        names = Names((site.path / "data" / "host-id").read_text().strip())
        try:
            gateway = gateway_of(node)
            async with careless_service() as port:
                # What answers is seen, unless something is between.
                assert await answers(node, gateway, port) == (isolation == "off")
            for port in (int(site.server.url.rpartition(":")[2]), proxy, apps):
                assert not await answers(node, gateway, port)
                is_open = await asyncio.to_thread(connects, node, gateway, port)
                # Without the rules the server itself has to hang up.
                assert isolation == "off" or not is_open
            assert (await site.http.get(f"{site.server.url}/healthz")).status_code == 200
        finally:
            await asyncio.to_thread(remove_rules, names)


async def test_the_server_answers_while_a_cluster_takes_all_that_it_may(database_url: str) -> None:
    limits = {"PYK8S_NODE_MEMORY_BYTES": str(MEMORY), "PYK8S_NODE_PIDS": str(PIDS)}
    async with with_cluster(database_url, **limits) as (site, node):
        hog = in_node(node, f"perl -e '$x = \"a\" x {2 * MEMORY}; sleep 15'")
        bomb = in_node(node, f"for i in $(seq {2 * PIDS}); do sleep 10 & done; wait")
        for greedy in (hog, bomb):
            asked = 0
            async with asyncio.timeout(120):
                taking = asyncio.create_task(greedy)
                while not taking.done() or not asked:
                    for path in ("/healthz", "/api/v1/clusters"):
                        answer = await site.http.get(f"{site.server.url}{path}")
                        assert answer.status_code == httpx.codes.OK, answer.text
                    asked += 1
                    await asyncio.sleep(0.2)
            assert taking.result() != 0, "nothing kept it from taking more than its limit"


def remove_rules(names: Names) -> None:
    image = docker("image", "ls", "-q", "kindest/node").splitlines()[0]
    docker(
        "run", "--rm", "--network", "host", "--cap-add", "NET_ADMIN", "--entrypoint", "sh",
        image, "-c", SCRIPT.read_text(), "sh", "remove", names.chain,
    )  # fmt: skip
