"""The calm loop of a server."""

import asyncio

import uvicorn

from server.transport.accepting import AcceptPolicy
from server.transport.serving import LOOK_SECONDS, CalmServer


class Counting(CalmServer):
    ticks = 0

    async def on_tick(self, counter: int) -> bool:
        self.ticks += 1
        return await super().on_tick(counter)


async def test_it_ends_when_it_is_told_to_and_not_at_its_next_look() -> None:
    server = Counting(uvicorn.Config("none:app"), AcceptPolicy("10.210.0.0/16", 10, 10))
    serving = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0.01)
    assert not serving.done()
    server.should_exit = True
    async with asyncio.timeout(LOOK_SECONDS / 2):
        await serving
    assert server.ticks == 2
    server.should_exit = False
    assert server.should_exit
