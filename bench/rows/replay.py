"""Replay: everything that a cluster ever said, to one client that has nothing yet."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

import asyncpg
import httpx
import orjson

from bench import lines, machine
from bench.measure import Figure, Sample, Scale, Setting, Target, alternate, two_figures
from bench.site import Account, Process, add_accounts, add_clusters
from bench.sockets import connect, subscribe
from pyk8s.wire.cluster import Cluster
from server.store import event_log
from server.store.database import Database

EVENTS: Final = {Scale.FULL: 100_000, Scale.QUICK: 20_000, Scale.TINY: 2_000}
PER_TRANSACTION: Final = 2000
REST_LIMIT: Final = 5000
PATIENCE_SECONDS: Final = 120.0
BOOKMARK: Final = b'{"type":"bookmark"'
SSE_EVENT: Final = b"\ndata: {"
EVENT: Final = b'{"seq":'
BASELINE: Final = "SELECT and send of the same bytes"


async def measure(setting: Setting) -> list[Figure]:
    """Replay over the WebSocket, SSE and REST, each in turn with a bare handler."""
    count = EVENTS[setting.scale]
    async with setting.site.database() as database:
        owner = (await add_accounts(database, 1))[0]
        cluster = (await add_clusters(database, [owner]))[0]
        await fill(database, cluster, count)
        topic = subscribe(cluster.id, 0)
        async with (
            setting.site.server(database, PYK8S_ROLES="api") as server,
            setting.site.bare(BENCH_DATABASE_URL=database.url) as bare,
        ):
            url = f"{server.url}/api/v1/clusters/{cluster.id}/events"
            await copy_texts(url, owner, database)
            async with setting.site.profiled(server):
                websocket = await alternate(
                    setting.repeat,
                    lambda: sampled(
                        server,
                        count,
                        over_websocket(server, "/api/v1/stream", owner.token, topic, count),
                    ),
                    lambda: sampled(bare, count, over_websocket(bare, "/replay", "", "{}", count)),
                )
            sse = await alternate(
                setting.repeat,
                lambda: sampled(server, count, over_sse(url, owner, count)),
                lambda: sampled(bare, count, over_http(f"{bare.url}/replay")),
            )
            rest = await alternate(
                setting.repeat,
                lambda: sampled(server, count, over_rest(url, owner, count)),
                lambda: sampled(bare, count, over_http(f"{bare.url}/replay")),
            )
    what = f"replay of {count:,} events"
    over_sockets = Figure(
        "replay", what, "events/s", baseline_is=BASELINE, targets=[Target("ratio", ">=", 0.7)]
    )
    events = Figure("replay", f"{what}, SSE", "events/s", baseline_is=f"{BASELINE}, HTTP")
    pages = replace(events, what=f"{what}, REST pages", note=f"{REST_LIMIT:,} events a page")
    return [
        *two_figures(over_sockets, *websocket, "the server"),
        *two_figures(events, *sse, "the server"),
        *two_figures(pages, *rest, "the server"),
    ]


async def sampled(process: Process, count: int, work: Awaitable[None]) -> Sample:
    """Count the seconds of a piece of work, and the processor time that it costs a server."""
    began, used = time.perf_counter(), machine.cpu_seconds(process.pid)
    await work
    seconds = time.perf_counter() - began
    return Sample(count / seconds, machine.cpu_seconds(process.pid) - used)


async def fill(database: Database, cluster: Cluster, count: int) -> None:
    """Store log lines."""
    for first in range(0, count, PER_TRANSACTION):
        async with database.transaction() as session:
            drafts = lines.drafts(PER_TRANSACTION, first=first)
            await event_log.append(session, cluster.id, drafts)


async def copy_texts(url: str, owner: Account, database: Database) -> None:
    """Put the texts of all events into a plain table, for the baseline."""
    connection = await asyncpg.connect(database.url)
    headers, after = {"Authorization": f"Bearer {owner.token}"}, 0
    try:
        await connection.execute("CREATE TABLE bench_texts (n bigint PRIMARY KEY, text text)")
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            while True:
                query = {"after": after, "limit": REST_LIMIT}
                page = orjson.loads((await client.get(url, params=query, headers=headers)).content)
                if not page["items"]:
                    break
                rows = [(item["seq"], orjson.dumps(item).decode()) for item in page["items"]]
                await connection.copy_records_to_table("bench_texts", records=rows)
                after = page["next_after"]
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close(timeout=5)


async def over_websocket(server: Process, path: str, token: str, first: str, count: int) -> None:
    """Replay to the bookmark after the last event."""
    done = asyncio.Event()

    received = 0

    def take(text: bytes) -> None:
        nonlocal received
        received += text.count(EVENT)
        if text.startswith(BOOKMARK) and received >= count:
            done.set()

    opened = await connect(server.port, path, token, on_text=take)
    opened.send(first)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await done.wait()
    opened.close()


async def over_sse(url: str, owner: Account, count: int) -> None:
    """Replay as server-sent events, to the last one."""
    headers = {"Authorization": f"Bearer {owner.token}", "Accept": "text/event-stream"}
    received, end = 0, b""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        async for chunk in answer.aiter_raw():
            received += (end + chunk).count(SSE_EVENT)
            end = (end + chunk)[-len(SSE_EVENT) + 1 :]
            if received >= count:
                break


async def over_rest(url: str, owner: Account, count: int) -> None:
    """Replay page by page."""
    headers = {"Authorization": f"Bearer {owner.token}", "Accept-Encoding": "identity"}
    after = 0
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        while after < count:
            query = {"after": after, "limit": REST_LIMIT}
            answer = await client.get(url, params=query, headers=headers)
            answer.raise_for_status()
            # The cursor stands behind the events; a client that wants only it need not read them.
            after = int(answer.content.rpartition(b'"next_after":')[2].partition(b",")[0])


async def over_http(url: str) -> None:
    """Take the same bytes as one answer of the bare handler."""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client,
        client.stream("GET", url) as answer,
    ):
        async for _ in answer.aiter_raw():
            pass
