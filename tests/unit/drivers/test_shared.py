"""What costs something is asked for once, however many want to know."""

import asyncio

from server.drivers.shared import Shared


class Asked:
    """Counts how often it is asked; answers when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.count = 0
        self.at_once = 0
        self.most_at_once = 0
        self.goes = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        self.count += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.goes.wait()
        finally:
            self.at_once -= 1
        if self.failure is not None:
            raise self.failure
        return self.count

    def shared(self, *, at_once: int = 2) -> Shared[int, int]:
        return Shared[int, int](seconds=5, at_once=at_once, clock=lambda: self.now)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_who_ask_meanwhile_and_shortly_after_get_one_answer() -> None:
    ask = Asked()
    shared = ask.shared()
    waiting = [asyncio.create_task(shared.get(1, ask)) for _ in range(50)]
    await settled()
    ask.goes.set()
    assert {*await asyncio.gather(*waiting)} == {1}
    ask.now = 4.9
    assert await shared.get(1, ask) == 1
    ask.now = 5.0
    assert await shared.get(1, ask) == 2


async def test_only_so_many_are_asked_for_at_once() -> None:
    ask = Asked()
    shared = ask.shared(at_once=2)
    waiting = [asyncio.create_task(shared.get(key, ask)) for key in range(10)]
    await settled()
    assert ask.at_once == 2
    ask.goes.set()
    await asyncio.gather(*waiting)
    assert (ask.count, ask.most_at_once) == (10, 2)


async def test_who_hangs_up_leaves_the_answer_to_the_others() -> None:
    ask = Asked()
    shared = ask.shared()
    first, second = (asyncio.create_task(shared.get(1, ask)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    ask.goes.set()
    assert await second == 1
    assert first.cancelled()


async def test_a_failure_goes_to_all_who_wait_and_is_not_kept() -> None:
    ask = Asked()
    shared = ask.shared()
    ask.failure = ValueError("no")
    ask.goes.set()
    waiting = [asyncio.create_task(shared.get(1, ask)) for _ in range(3)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results == [ask.failure] * 3
    ask.failure = None
    assert await shared.get(1, ask) == 2


async def test_what_is_forgotten_is_asked_for_anew_also_while_it_is_on_its_way() -> None:
    ask = Asked()
    shared = ask.shared()
    first = asyncio.create_task(shared.get(1, ask))
    await settled()
    shared.forget(1)
    second = asyncio.create_task(shared.get(1, ask))
    await settled()
    ask.goes.set()
    await asyncio.gather(first, second)
    assert ask.count == 2
    assert await shared.get(1, ask) == await second
