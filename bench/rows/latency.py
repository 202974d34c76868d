"""From the moment a line leaves the driver to the moment its event is in a client's hands."""

import asyncio
import time
from datetime import datetime
from typing import Final

import asyncpg
import orjson

from bench.measure import Figure, Scale, Setting, Target, curve, percentile
from bench.site import Account, Process, add_accounts, ask_for_cluster
from bench.sockets import Socket, connect, subscribe

LINES: Final = {Scale.FULL: 500, Scale.QUICK: 150, Scale.TINY: 20}
PER_SECOND: Final = 20
FLOOD_PER_SECOND: Final = 5_000
COMMITS: Final = {Scale.FULL: 500, Scale.QUICK: 150, Scale.TINY: 20}
SETTLE_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 120.0
P50, P99 = 50, 99
FLOOR: Final = "a row committed, and its NOTIFY heard"


class Viewer:
    """Follows one cluster, and keeps how long each line of its flood was under way."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, float]] = []
        """When a line was written, and how many milliseconds later it was here."""
        self.last = asyncio.Event()
        self._lines = 0
        self._caught_up = 0.0
        self._socket: Socket | None = None

    async def follow(self, server: Process, owner: Account, name: str, scenario: str) -> None:
        """Ask for a cluster that floods, and watch it."""
        cluster_id = await ask_for_cluster(server, owner, name, scenario)
        self._lines = int(scenario.split(":")[1])
        self._socket = await connect(server.port, "/api/v1/stream", owner.token, on_text=self._take)
        self._socket.send(subscribe(cluster_id, 0))

    def close(self) -> None:
        """Watch no longer."""
        if self._socket is not None:
            self._socket.close()

    def _take(self, text: bytes) -> None:
        now = time.time()
        frame = orjson.loads(text)
        if frame["type"] == "bookmark" and not self._caught_up:
            self._caught_up = now
        if frame["type"] != "events":
            return
        for event in frame["events"]:
            _, _, number = event["data"].get("text", "").rpartition(" #")
            if event["type"] != "log_line" or not number.isdigit():
                continue
            at = datetime.fromisoformat(event["at"]).timestamp()
            if self._caught_up and at > self._caught_up:
                self.arrived.append((at, (now - at) * 1000))
            if int(number) == self._lines:
                self.last.set()


async def measure(setting: Setting) -> list[Figure]:
    """Watch a quiet cluster: alone, and beside a flooded one."""
    seconds = LINES[setting.scale] / PER_SECOND
    async with setting.site.database() as database:
        owner = (await add_accounts(database, 1))[0]
        floor = await commits(database.url, COMMITS[setting.scale])
        async with setting.site.server(database, PYK8S_MAX_CREATES="4") as server:
            await asyncio.sleep(SETTLE_SECONDS)
            alone = await watch(setting, server, owner, "alone")
            flooded = Viewer()
            lines = int((seconds + 4 * SETTLE_SECONDS) * FLOOD_PER_SECOND)
            scenario = f"flood:{lines}:{FLOOD_PER_SECOND}"
            await flooded.follow(server, owner, "flooded", scenario)
            await asyncio.sleep(SETTLE_SECONDS)
            async with setting.site.profiled(server):
                beside = await watch(setting, server, owner, "beside")
            async with asyncio.timeout(PATIENCE_SECONDS):
                await flooded.last.wait()
            flooded.close()
    until = flooded.arrived[-1][0]
    return [
        *figures("idle", [ms for _, ms in alone.arrived], floor, (8.0, 20.0)),
        *figures("beside 5,000 lines/s", [ms for at, ms in beside.arrived if at < until], (),
                 (None, 100.0)),
        *figures("of the 5,000 lines/s", [ms for _, ms in flooded.arrived], (), (None, 100.0)),
    ]  # fmt: skip


async def watch(setting: Setting, server: Process, owner: Account, name: str) -> Viewer:
    """Watch a cluster that says something every now and then, to its last line."""
    viewer = Viewer()
    await viewer.follow(server, owner, name, f"flood:{LINES[setting.scale]}:{PER_SECOND}")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await viewer.last.wait()
    viewer.close()
    return viewer


def figures(
    what: str,
    values: list[float],
    floor: list[float] | tuple[()],
    wanted: tuple[float | None, float | None],
) -> list[Figure]:
    """Give p50 and p99 of what was measured."""
    made = []
    for percent, limit in zip((P50, P99), wanted, strict=True):
        made.append(
            Figure(
                "latency", f"line to client, {what}, p{percent}", "ms",
                [percentile(values, percent)],
                [percentile(floor, percent)] if floor else [], FLOOR if floor else "",
                [Target("ours", "<", limit)] if limit is not None else [],
                curve(values) if percent == P50 else (), f"{len(values):,} lines",
            )
        )  # fmt: skip
    return made


async def commits(url: str, count: int) -> list[float]:
    """Measure what no path through this PostgreSQL can be below, in milliseconds."""
    writer, listener = await asyncpg.connect(url), await asyncpg.connect(url)
    heard = asyncio.Event()
    taken = []
    try:
        await writer.execute("CREATE TABLE bench_commits (n integer PRIMARY KEY)")
        await listener.add_listener("bench_commits", lambda *_: heard.set())
        for number in range(count):
            heard.clear()
            began = time.perf_counter()
            async with writer.transaction():
                await writer.execute("INSERT INTO bench_commits VALUES ($1)", number)
                await writer.execute("SELECT pg_notify('bench_commits', '')")
            await heard.wait()
            taken.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(1 / PER_SECOND / 10)
    finally:
        await writer.close(timeout=5)
        await listener.close(timeout=5)
    return taken
