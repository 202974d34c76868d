"""Idle sockets: what a subscribed client costs while nothing happens."""

import asyncio
import time
from typing import Final

from bench import machine
from bench.measure import Figure, Scale, Setting, Target
from bench.site import Process, add_accounts, add_clusters
from bench.sockets import GREETING, Socket, check_open, close_all, connect_many, subscribe

SOCKETS: Final = {Scale.FULL: 10_000, Scale.QUICK: 2_000, Scale.TINY: 40}
SOCKETS_PER_USER: Final = 20
SETTLE_SECONDS: Final = {Scale.FULL: 15.0, Scale.QUICK: 5.0, Scale.TINY: 0.5}
"""Longer than a heartbeat: by then every socket has had its first bookmarks."""
FILES_LEFT: Final = 500


async def measure(setting: Setting) -> list[Figure]:
    """Open them at the server and at a bare handler; compare the memory of both processes."""
    count = min(SOCKETS[setting.scale], machine.raise_open_files() - FILES_LEFT)
    async with setting.site.database() as database:
        owners = await add_accounts(database, -(-count // SOCKETS_PER_USER))
        owned = await add_clusters(database, owners)
        tokens = [owners[number // SOCKETS_PER_USER].token for number in range(count)]
        firsts = [subscribe(each.id, each.last_seq) for each in owned]
        async with setting.site.server(database, PYK8S_ROLES="api") as server:
            before = machine.resident_bytes(server.pid)
            async with setting.site.profiled(server):
                sockets = await connect_many(
                    server.port, "/api/v1/stream", tokens,
                    lambda number: firsts[number // SOCKETS_PER_USER], greeting=GREETING,
                )  # fmt: skip
            mine, cores = await settle(setting, server, sockets, before)
            await close_all(sockets)
    async with setting.site.bare() as bare:
        before = machine.resident_bytes(bare.pid)
        sockets = await connect_many(bare.port, "/idle", [""] * count, lambda _: "{}")
        other, cores_bare = await settle(setting, bare, sockets, before)
        await close_all(sockets)
    return [
        Figure(
            "idle", f"memory of each of {count:,} idle subscribed sockets", "KiB",
            [mine / count / machine.KIB], [other / count / machine.KIB],
            "a bare Starlette handler", [Target("ratio", "<=", 1.25)],
        ),
        Figure(
            "idle", f"CPU of the server with {count:,} idle subscribed sockets", "% of a core",
            [100 * cores],
            note=f"a bare Starlette handler: {100 * cores_bare:.1f}",
        ),
    ]  # fmt: skip


async def settle(
    setting: Setting, server: Process, sockets: list[Socket], before: int
) -> tuple[int, float]:
    """Let them be for a while; give the bytes that they take, and the cores in use."""
    seconds = SETTLE_SECONDS[setting.scale]
    await asyncio.sleep(seconds)
    began, used = time.perf_counter(), machine.cpu_seconds(server.pid)
    await asyncio.sleep(seconds)
    check_open(sockets)
    cores = (machine.cpu_seconds(server.pid) - used) / (time.perf_counter() - began)
    return machine.resident_bytes(server.pid) - before, cores
