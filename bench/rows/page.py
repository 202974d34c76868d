"""A page of a megabyte of events over REST: compressed against as it is."""

import time
from functools import partial
from statistics import median
from typing import Final

import httpx

from bench.measure import Figure, Scale, Setting, Target, alternate
from bench.rows.replay import fill
from bench.site import add_accounts, add_clusters

EVENTS: Final = 5000
"""The longest page; with the lines of the benchmarks it has about a megabyte."""
ASKED: Final = {Scale.FULL: 60, Scale.QUICK: 20, Scale.TINY: 2}
"""How often the page is read in a turn."""
MOST_BYTES: Final = 60 * 1024
PATIENCE_SECONDS: Final = 120.0


async def measure(setting: Setting) -> list[Figure]:
    """Read the same page with and without compression, in turn."""
    async with setting.site.database() as database:
        owner = (await add_accounts(database, 1))[0]
        cluster = (await add_clusters(database, [owner]))[0]
        await fill(database, cluster, EVENTS)
        async with (
            setting.site.server(database, PYK8S_ROLES="api") as server,
            httpx.AsyncClient(
                base_url=server.url,
                trust_env=False,
                timeout=PATIENCE_SECONDS,
                headers={"Authorization": f"Bearer {owner.token}"},
            ) as http,
        ):
            url = f"/api/v1/clusters/{cluster.id}/events?limit={EVENTS}"
            plain = await size_of(http, url, "identity")
            small = await size_of(http, url, "gzip")
            times = ASKED[setting.scale]
            ours, baseline = await alternate(
                setting.repeat,
                partial(milliseconds_of, http, url, "gzip", times),
                partial(milliseconds_of, http, url, "identity", times),
            )
    what = f"a page of {EVENTS:,} events"
    return [
        Figure(
            "page", f"{what}, size with gzip", "bytes", [small], [plain], "the same as it is",
            [Target("ours", "<", MOST_BYTES)],
        ),
        Figure(
            "page", f"{what}, time to its last byte with gzip", "ms", ours, baseline,
            "the same as it is", [Target("ratio", "<=", 1.1)], note="over loopback",
        ),
    ]  # fmt: skip


async def size_of(http: httpx.AsyncClient, url: str, coding: str) -> float:
    """Return the size of an answer's body as it is sent."""
    async with http.stream("GET", url, headers={"Accept-Encoding": coding}) as answer:
        answer.raise_for_status()
        return sum([len(piece) async for piece in answer.aiter_raw()])


async def milliseconds_of(http: httpx.AsyncClient, url: str, coding: str, times: int) -> float:
    """Read a page several times; return the median of the times to its last byte."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await size_of(http, url, coding)
        took.append(1000 * (time.perf_counter() - began))
    return median(took)
