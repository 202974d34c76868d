"""Fan-out: what one cluster says, to very many sockets."""

import asyncio
import sys
import time
from contextlib import suppress
from typing import Final

import httpx
import orjson

from bench import machine
from bench.measure import Figure, Sample, Scale, Setting, Target, two_figures
from bench.site import Account, Process, add_accounts, add_clusters
from bench.sockets import GREETING, Socket, check_open, close_all, connect, connect_many, subscribe
from pyk8s.wire.cluster import Cluster
from server.config import REPOSITORY
from server.store import clusters
from server.store.database import Database

SOCKETS: Final = {Scale.FULL: 1000, Scale.QUICK: 200, Scale.TINY: 20}
BATCHES: Final = {Scale.FULL: 200, Scale.QUICK: 100, Scale.TINY: 10}
EVENTS_PER_BATCH: Final = 50
WINDOW: Final = 8
"""Batches that the writer is ahead of the slowest reader: enough that the server never waits."""
LOOK_SECONDS: Final = 0.002
PATIENCE_SECONDS: Final = 600.0
MEGA: Final = 1e6


async def measure(setting: Setting) -> list[Figure]:
    """Fan out, then send the frames that came of it from a bare handler."""
    count, frames_path = SOCKETS[setting.scale], setting.site.path / "frames.json"
    mine: list[Sample] = []
    other: list[Sample] = []
    sizes: list[int] = []
    async with setting.site.database() as database:
        owner = (await add_accounts(database, 1))[0]
        cluster = (await add_clusters(database, [owner]))[0]
        async with setting.site.server(database, PYK8S_ROLES="api") as server:
            for _ in range(setting.repeat):
                sample, frames = await ours(setting, database, server, owner, cluster)
                frames_path.write_bytes(orjson.dumps(frames))
                size = sum(map(len, frames)) * count / MEGA
                sizes += map(len, frames)
                mine.append(sample._replace(per_second=size * sample.per_second))
                async with setting.site.bare(BENCH_FRAMES=str(frames_path)) as bare:
                    sample = await baseline(bare, count, last_seq_of(frames))
                other.append(sample._replace(per_second=size * sample.per_second))
    figure = Figure(
        "fanout", f"fan-out to {count:,} sockets", "MB/s",
        baseline_is="the same frames from a bare uvicorn handler",
        targets=[Target("ratio", ">=", 0.8)],
        note=f"{BATCHES[setting.scale] * EVENTS_PER_BATCH:,} events to each; frames of "
        f"{sum(sizes) // len(sizes):,} bytes on average",
    )  # fmt: skip
    return two_figures(figure, mine, other, "the server")


def last_seq_of(frames: list[str]) -> int:
    """Give the number of the last event."""
    last: int = orjson.loads(frames[-1])["events"][-1]["seq"]
    return last


async def ours(
    setting: Setting, database: Database, server: Process, owner: Account, cluster: Cluster
) -> tuple[Sample, list[str]]:
    """Measure from the first event stored to the last one in every socket; give the frames too."""
    frames: list[str] = []

    def keep(text: bytes) -> None:
        if text.startswith(b'{"type":"events"'):
            frames.append(text.decode())

    async with database.reading() as session:
        seen = await clusters.get_any(session, cluster.id)
    assert seen is not None
    start, batches = seen.last_seq, BATCHES[setting.scale]
    count = SOCKETS[setting.scale]
    path, first = "/api/v1/stream", subscribe(cluster.id, start)
    witness = await connect(server.port, path, owner.token, on_text=keep)
    witness.send(first)
    sockets = await connect_many(
        server.port, path, [owner.token] * count, lambda _: first, greeting=GREETING
    )
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.appender", database.url, str(cluster.id),
        str(batches), str(EVENTS_PER_BATCH), str(WINDOW),
        cwd=REPOSITORY, stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert writer.stdin is not None
    try:
        async with setting.site.profiled(server):
            sample = await until_all(
                server, sockets, start + batches * EVENTS_PER_BATCH, after=start, tell=writer.stdin
            )
    finally:
        writer.stdin.close()
        with suppress(ProcessLookupError):
            if writer.returncode is None and sys.exc_info()[0] is not None:
                writer.kill()
        await writer.wait()
    await until_has(frames, start + batches * EVENTS_PER_BATCH)
    await close_all([*sockets, witness])
    return sample, frames


async def until_all(
    process: Process,
    sockets: list[Socket],
    goal: int,
    *,
    after: int = 0,
    tell: asyncio.StreamWriter | None = None,
) -> Sample:
    """Wait until every socket has the goal, and tell the writer how far all are.

    Counts from the moment when the first socket has anything: before that the writer starts.
    """
    told, began, used = 0, 0.0, machine.cpu_seconds(process.pid)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            reached = min(each.last_seq for each in sockets)
            if not began and any(each.last_seq > after for each in sockets):
                began = time.perf_counter()
            if reached >= goal:
                cpu = machine.cpu_seconds(process.pid) - used
                return Sample(1 / (time.perf_counter() - began), cpu)
            if tell is not None and reached > told:
                told = reached
                tell.write(f"{reached}\n".encode())
            check_open(sockets)
            await asyncio.sleep(LOOK_SECONDS)


async def until_has(frames: list[str], goal: int) -> None:
    """Wait until the witness has the last event as well."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not frames or last_seq_of(frames) < goal:  # noqa: ASYNC110 it is there already
            await asyncio.sleep(LOOK_SECONDS)


async def baseline(bare: Process, count: int, goal: int) -> Sample:
    """Measure the same bytes from the bare handler."""
    sockets = await connect_many(bare.port, "/frames", [""] * count, lambda _: "{}")
    await asyncio.sleep(0.5)
    async with httpx.AsyncClient(trust_env=False) as client:
        waiting = asyncio.create_task(until_all(bare, sockets, goal))
        await client.post(f"{bare.url}/go", timeout=PATIENCE_SECONDS)
        sample = await waiting
    await close_all(sockets)
    return sample
