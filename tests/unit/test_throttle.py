"""Wrong tries make the next one wait."""

import asyncio

import pytest

from server.commands.devices import Devices
from server.commands.throttle import FREE_TRIES, LONGEST_WAIT_SECONDS, REMEMBERED, Throttle
from server.errors import TooManyAttempts
from server.secrets import Sealer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def wrong(throttle: Throttle, key: str) -> None:
    async with throttle.attempt(key):
        pass


async def test_waits_double_up_to_a_bound() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_TRIES):
        await wrong(throttle, "ann")
    waits = []
    for _ in range(1100):
        with pytest.raises(TooManyAttempts) as refused:
            await wrong(throttle, "ann")
        assert refused.value.retry_after is not None
        waits.append(refused.value.retry_after)
        clock.now += refused.value.retry_after
        await wrong(throttle, "ann")
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == LONGEST_WAIT_SECONDS


async def test_parallel_tries_see_each_other_and_go_one_by_one() -> None:
    throttle = Throttle(Clock())
    at_once, most_at_once, entered = 0, 0, 0

    async def slowly() -> None:
        nonlocal at_once, most_at_once, entered
        async with throttle.attempt("ann"):
            at_once, entered = at_once + 1, entered + 1
            most_at_once = max(at_once, most_at_once)
            await asyncio.sleep(0)
            at_once -= 1

    ends = await asyncio.gather(*(slowly() for _ in range(1100)), return_exceptions=True)
    assert (entered, most_at_once) == (FREE_TRIES, 1)
    assert sum(isinstance(end, TooManyAttempts) for end in ends) == 1100 - FREE_TRIES


async def test_another_account_is_not_held_up() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_TRIES):
        await wrong(throttle, "ann")
    await wrong(throttle, "bob")


async def test_the_right_password_forgives() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_TRIES - 1):
        await wrong(throttle, "ann")
    async with throttle.attempt("ann") as attempt:
        attempt.is_right = True
    for _ in range(FREE_TRIES):
        await wrong(throttle, "ann")


async def test_a_try_that_was_not_decided_is_not_counted() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_TRIES + 3):
        with pytest.raises(RuntimeError, match="busy"):
            async with throttle.attempt("ann"):
                raise RuntimeError("busy")
    for _ in range(FREE_TRIES):
        await wrong(throttle, "ann")
    clock.now = LONGEST_WAIT_SECONDS
    with pytest.raises(RuntimeError, match="busy"):
        async with throttle.attempt("ann"):
            raise RuntimeError("busy")
    await wrong(throttle, "ann")


async def test_a_success_between_leaves_nothing_to_take_back() -> None:
    throttle = Throttle(Clock())
    with pytest.raises(RuntimeError, match="busy"):
        async with throttle.attempt("ann"):
            throttle._forget("ann")
            raise RuntimeError("busy")
    assert throttle._found("ann") == (0, 0.0)


async def test_many_other_names_do_not_make_it_forget() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_TRIES):
        await wrong(throttle, "victim")
    for number in range(REMEMBERED + 10_050):
        throttle.count(f"user{number}")
    assert sum(map(len, throttle._by_count)) == REMEMBERED
    with pytest.raises(TooManyAttempts):
        await wrong(throttle, "victim")


def test_a_device_is_recognised_for_its_account_alone() -> None:
    devices, others = Devices(Sealer(b"A" * 43 + b"=")), Devices(Sealer(b"B" * 43 + b"="))
    mark = devices.issue("ann")
    assert devices.recognise(mark, "ann") is not None
    assert devices.issue("ann") != mark
    for forged in ("", ".", mark[:-1], f"x{mark}", mark + "0", others.issue("ann"), "ä.ö"):
        assert devices.recognise(forged, "ann") is None
    assert devices.recognise(mark, "bob") is None
