"""What watches cost that are opened at once, as informers do when a controller starts."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import httpx

from bench import machine
from bench.measure import Figure, Scale, Setting, Target, alternate
from bench.rows.proxy import Way, measured_cluster
from bench.site import Process

WATCHES: Final = (1, 50, 100)
TIMES: Final = {Scale.FULL: 7, Scale.QUICK: 3, Scale.TINY: 1}
"""Each measurement is the fastest of so many: what else the machine does only adds."""

WATCHED: Final = "/api/v1/namespaces/default/configmaps?watch=true"
"""Its first event is there at once: the authority of the cluster, in every namespace."""

BASELINE: Final = "the same watches at the cluster's own API server, over HTTP/1.1"
MOST: Final = 2.0
"""Of the baseline's time for the greatest number."""


async def measure(setting: Setting) -> list[Figure]:
    """Open watches until each has had an event, through the proxy and direct in turn."""
    async with measured_cluster(setting) as (server, proxy, direct):
        async with opened(proxy, max(WATCHES)):
            pass  # memory that is taken once, and connections to PostgreSQL
        figures: list[Figure] = []
        async with setting.site.profiled(server):
            for count in WATCHES:
                figures += await compare(setting, server, proxy, direct, count)
        return figures


async def compare(
    setting: Setting, server: Process, proxy: Way, direct: Way, count: int
) -> list[Figure]:
    """Open so many in turn; for the greatest number tell what they take of the server as well."""
    times = TIMES[setting.scale]
    cores: list[float] = []
    memory: list[float] = []

    async def ours() -> float:
        used, held = machine.cpu_seconds(server.pid), machine.resident_bytes(server.pid)
        taken = []
        for _ in range(times):
            async with opened(proxy, count) as seconds:
                taken.append(seconds)
                last = machine.resident_bytes(server.pid)
        cores.append((machine.cpu_seconds(server.pid) - used) / times / count)
        memory.append(max(0, last - held) / count / machine.KIB)
        return min(taken)

    async def baseline() -> float:
        taken = []
        for _ in range(times):
            async with opened(direct, count) as seconds:
                taken.append(seconds)
        return min(taken)

    mine, other = await alternate(setting.repeat, ours, baseline)
    what = f"{count} watch{'es' * (count > 1)}"
    is_most = count == max(WATCHES)
    figures = [
        Figure(
            "watches", f"{what} opened", "ms", [1000 * each for each in mine],
            [1000 * each for each in other], BASELINE,
            [Target("ratio", "<=", MOST)] if is_most else [],
        )
    ]  # fmt: skip
    if is_most:
        each_cpu = [1000 * each for each in cores]
        figures += [
            Figure("watches", f"CPU of the server for each of {what}", "ms", each_cpu),
            Figure("watches", f"memory of the server for each of {what}", "KiB", memory),
        ]
    return figures


@asynccontextmanager
async def opened(way: Way, count: int) -> AsyncIterator[float]:
    """Open so many watches at once; yield the seconds until each has had its first event."""
    connector = aiohttp.TCPConnector(ssl=way.ssl, limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=way.headers) as session:

        async def one() -> aiohttp.ClientResponse:
            answer = await session.get(way.url + WATCHED)
            assert answer.status == httpx.codes.OK, (answer.status, await answer.text())
            assert await answer.content.readany(), "the watch ended"
            return answer

        began = time.perf_counter()
        answers = await asyncio.gather(*(one() for _ in range(count)))
        seconds = time.perf_counter() - began
        try:
            yield seconds
        finally:
            for answer in answers:
                answer.close()
