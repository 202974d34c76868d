"""An idle server: what it costs to have one that nobody uses."""

import asyncio
import time
from typing import Final

from bench import machine
from bench.measure import Figure, Scale, Setting, Target
from server.store.database import Database

SECONDS: Final = {Scale.FULL: 30.0, Scale.QUICK: 10.0, Scale.TINY: 1.0}
SETTLE_SECONDS: Final = {Scale.FULL: 5.0, Scale.QUICK: 3.0, Scale.TINY: 0.1}


async def measure(setting: Setting) -> list[Figure]:
    """Count the processor time of the server and of its PostgreSQL."""
    async with setting.site.database() as database:
        own, of_postgres = await percent_of_a_core(setting, database)
    percent = "% of a core"
    return [
        Figure("idle-cpu", "CPU of an idle server", percent, [own], targets=[
            Target("ours", "<", 1.0)], note="three roles, no cluster, nobody connected"),
        Figure("idle-cpu", "CPU of its PostgreSQL", percent, [of_postgres], targets=[
            Target("ours", "<", 1.0)]),
    ]  # fmt: skip


async def percent_of_a_core(setting: Setting, database: Database) -> tuple[float, float]:
    """Run a server that nobody uses on a database; tell what it takes, and what its PostgreSQL."""
    postgres = setting.site.postgres_pid
    async with setting.site.server(database) as server:
        await asyncio.sleep(SETTLE_SECONDS[setting.scale])
        began = time.perf_counter()
        before = machine.cpu_seconds(server.pid), machine.tree_cpu_seconds(postgres)
        async with setting.site.profiled(server):
            await asyncio.sleep(SECONDS[setting.scale])
        after = machine.cpu_seconds(server.pid), machine.tree_cpu_seconds(postgres)
        seconds = time.perf_counter() - began
    own, of_postgres = (100 * (b - a) / seconds for a, b in zip(before, after, strict=True))
    return own, of_postgres
