"""Which connections are cut off because their peers take too little."""

import asyncio

import pytest

from server.transport import unsent
from server.transport.unsent import Unsent

MIB = 2**20
WINDOW = 0.05


class Transport:
    """Keeps what was written until it is taken."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.is_open = True

    def get_write_buffer_size(self) -> int:
        return self.size

    def abort(self) -> None:
        self.is_open = False


async def windows(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(WINDOW * 1.5)


async def test_what_is_taken_too_slowly_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsent, "WINDOW_SECONDS", WINDOW)
    watching, loop = Unsent(), asyncio.get_running_loop()
    stalled, dripping, forgotten = (Transport(MIB) for _ in range(3))
    for each in (stalled, dripping, forgotten):
        watching.watch(each, loop)
    watching.forget(forgotten)
    dripping.size -= 100
    async with asyncio.timeout(20):
        while stalled.is_open or dripping.is_open:
            await asyncio.sleep(WINDOW)
    assert forgotten.is_open


async def test_what_is_taken_fast_enough_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where that takes many windows: each look takes what the reader took before it."""
    monkeypatch.setattr(unsent, "WINDOW_SECONDS", WINDOW)

    class Moving(Transport):
        def get_write_buffer_size(self) -> int:
            self.size -= unsent.TAKEN_BYTES_PER_WINDOW
            return self.size

    watching, moving = Unsent(), Moving(100 * MIB)
    watching.watch(moving, asyncio.get_running_loop())
    await windows(5)
    assert moving.is_open
    assert moving.size < 100 * MIB - 2 * unsent.TAKEN_BYTES_PER_WINDOW
    watching.forget(moving)


async def test_all_together_have_a_limit_and_the_oldest_go_first() -> None:
    watching, loop = Unsent(10 * MIB), asyncio.get_running_loop()
    opened = [Transport(3 * MIB) for _ in range(5)]
    for each in opened:
        watching.watch(each, loop)
    assert [each.is_open for each in opened] == [False, False, True, True, True]
    watching.forget(opened[2])
    one_more = Transport(3 * MIB)
    watching.watch(one_more, loop)
    assert [each.is_open for each in (*opened[3:], one_more)] == [True, True, True]
    alone = Transport(30 * MIB)
    watching.watch(alone, loop)
    assert alone.is_open  # one answer may be larger than all of them should be
    assert not one_more.is_open
    watching.forget(alone)
