"""What the Kubernetes API proxy costs: the same requests through it and direct, in turn."""

import asyncio
import base64
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import anyio
import httpx
from ruamel.yaml import YAML

from bench.measure import Figure, Scale, Setting, Target, curve, percentile
from bench.site import Account, Process, add_accounts, free_port
from server.drivers import kube_api

SECONDS: Final = {Scale.FULL: 8.0, Scale.QUICK: 3.0, Scale.TINY: 0.5}
"""One measurement of each side."""

CLIENTS: Final = (1, 50)
LISTED: Final = 50
LISTED_BYTES: Final = 100 * 1024
"""Fifty ConfigMaps of so much text make a list of 5 MB."""

READY_SECONDS: Final = 180.0
SMALL: Final = "/api/v1/namespaces/default"
LARGE: Final = "/api/v1/namespaces/large/configmaps"
BASELINE: Final = "the same requests to the cluster's own API server"


@dataclass(frozen=True, slots=True)
class Way:
    """Where a kubeconfig leads, and as whom."""

    url: str
    ssl: ssl.SSLContext
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """What one measurement found. `seconds`: of each request."""

    per_second: float
    seconds: list[float]


@contextlib.asynccontextmanager
async def measured_cluster(setting: Setting) -> AsyncIterator[tuple[Process, Way, Way]]:
    """Run a server with one cluster of real kind; yield it, and both ways to the API server."""
    async with setting.site.database() as database:
        owner = (await add_accounts(database, 1))[0]
        kind = {"PYK8S_DRIVER": "kind", "PYK8S_PROXY_PORT": str(free_port())}
        async with (
            setting.site.server(database, **kind) as server,
            ready_cluster(server, owner) as (proxy, direct),
        ):
            yield server, proxy, direct


async def measure(setting: Setting) -> list[Figure]:
    """Get a small object and a large list, with one client and with many."""
    async with measured_cluster(setting) as (server, proxy, direct):
        await fill(direct)
        figures: list[Figure] = []
        async with setting.site.profiled(server):
            for clients in CLIENTS:
                figures += await compare(setting, proxy, direct, SMALL, clients)
            figures += await compare(setting, proxy, direct, LARGE, 1)
        return figures


async def compare(
    setting: Setting, proxy: Way, direct: Way, path: str, clients: int
) -> list[Figure]:
    """Measure both ways in turn."""
    seconds = SECONDS[setting.scale]
    mine, other = [], []
    for _ in range(setting.repeat):
        mine.append(await load(proxy, path, clients, seconds))
        other.append(await load(direct, path, clients, seconds))
    is_small = path == SMALL
    what = f"{'get' if is_small else 'list of 5 MB'}, {clients} client{'s' * (clients > 1)}"
    made = [
        Figure(
            "proxy", f"{what}, requests", "/s", [each.per_second for each in mine],
            [each.per_second for each in other], BASELINE,
            [Target("ratio", ">=", 0.5 if is_small else 0.8)],
        )
    ]  # fmt: skip
    for percent in (50, 99):
        ours = [percentile(each.seconds, percent) * 1000 for each in mine]
        theirs = [percentile(each.seconds, percent) * 1000 for each in other]
        every = curve([each * 1000 for run in mine for each in run.seconds])
        made.append(
            Figure("proxy", f"{what}, p{percent}", "ms", ours, theirs, BASELINE, [],
                   every if percent == 50 else ())  # noqa: PLR2004
        )  # fmt: skip
        if percent == 50 and clients == 1 and is_small:  # noqa: PLR2004
            added = [a - b for a, b in zip(ours, theirs, strict=True)]
            made.append(
                Figure("proxy", f"{what}, added to p50", "ms", added,
                       targets=[Target("ours", "<", 2.0)])
            )  # fmt: skip
    return made


async def load(way: Way, path: str, clients: int, seconds: float) -> Run:
    """Let so many clients ask for so long, each on a connection of its own."""
    taken: list[float] = []
    connector = aiohttp.TCPConnector(ssl=way.ssl, limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=way.headers) as session:

        async def ask() -> None:
            async with session.get(way.url + path) as answer:
                await answer.read()
                assert answer.status == httpx.codes.OK, answer.status

        async def client(until: float) -> None:
            while (began := time.perf_counter()) < until:
                await ask()
                taken.append(time.perf_counter() - began)

        await asyncio.gather(*(ask() for _ in range(clients)))  # connections are open now
        began = time.perf_counter()
        await asyncio.gather(*(client(began + seconds) for _ in range(clients)))
        return Run(len(taken) / (time.perf_counter() - began), taken)


async def fill(way: Way) -> None:
    """Make what the large list is of."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=way.ssl)) as session:
        await session.post(f"{way.url}/api/v1/namespaces", json={"metadata": {"name": "large"}})
        for number in range(LISTED):
            made = {"metadata": {"name": f"large-{number}"}, "data": {"text": "x" * LISTED_BYTES}}
            async with session.post(way.url + LARGE, json=made) as answer:
                answer.raise_for_status()


@contextlib.asynccontextmanager
async def ready_cluster(server: Process, owner: Account) -> AsyncIterator[tuple[Way, Way]]:
    """Have a real cluster made; give the way through the proxy and the direct one."""
    headers = {"Authorization": f"Bearer {owner.token}"}
    async with httpx.AsyncClient(
        base_url=f"{server.url}/api/v1", headers=headers, trust_env=False, timeout=60
    ) as client:
        answer = await client.post("/clusters", json={"name": "bench"})
        answer.raise_for_status()
        url = f"/clusters/{answer.json()['id']}"
        try:
            await until(client, url, "ready")
            ways = [
                way_of((await client.get(f"{url}/kubeconfig?endpoint={each}")).text)
                for each in ("proxy", "direct")
            ]
            yield ways[0], ways[1]
        finally:
            with anyio.CancelScope(shield=True):
                await client.delete(url)
                await until(client, url, "deleted")


async def until(client: httpx.AsyncClient, url: str, phase: str) -> None:
    """Wait for a phase."""
    async with asyncio.timeout(READY_SECONDS):
        while (cluster := (await client.get(url)).json())["phase"] != phase:
            if cluster["phase"] == "failed":
                raise RuntimeError(f"no real cluster can be made here: {cluster['failure']}")
            await asyncio.sleep(0.5)


def way_of(kubeconfig: str) -> Way:
    """Read a kubeconfig."""
    config: Any = YAML(typ="safe", pure=True).load(kubeconfig)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"])
    if "token" in user:
        trust = ssl.create_default_context(cadata=authority.decode())
        return Way(cluster["server"], trust, {"Authorization": f"Bearer {user['token']}"})
    pem = base64.b64decode(user["client-certificate-data"]) + base64.b64decode(
        user["client-key-data"]
    )
    return Way(cluster["server"], kube_api.context(authority, pem), {})
