"""One answer for all who ask at the same time."""

import asyncio

import pytest

from server.api.shared import Shared


class Source:
    def __init__(self) -> None:
        self.asked = 0
        self.now = 0.0
        self.goes_on = asyncio.Event()
        self.shared = Shared(self.ask, seconds=1.0, monotonic=lambda: self.now)

    async def ask(self) -> int:
        self.asked += 1
        await self.goes_on.wait()
        return self.asked


async def test_many_cost_one() -> None:
    source = Source()
    asking = [asyncio.create_task(source.shared.get()) for _ in range(200)]
    await asyncio.sleep(0)
    source.goes_on.set()
    assert set(await asyncio.gather(*asking)) == {1}
    assert await source.shared.get() == 1


async def test_an_answer_is_not_older_than_it_may_be() -> None:
    source = Source()
    source.goes_on.set()
    assert await source.shared.get() == 1
    source.now = 0.9
    assert await source.shared.get() == 1
    source.now = 1.0
    assert await source.shared.get() == 2


async def test_who_leaves_takes_nothing_from_the_others() -> None:
    source = Source()
    first, second = (asyncio.create_task(source.shared.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    source.goes_on.set()
    assert await second == 1


async def test_a_failure_is_told_and_not_kept() -> None:
    outcomes = iter([OSError("away"), None])

    async def ask() -> str:
        if (error := next(outcomes)) is not None:
            raise error
        return "well"

    shared = Shared(ask, seconds=1.0, monotonic=lambda: 0.0)
    with pytest.raises(OSError, match="away"):
        await shared.get()
    assert await shared.get() == "well"
