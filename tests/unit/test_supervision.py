"""A loop that a defect ends is run again, and `/readyz` says so."""

import anyio
import anyio.lowlevel
import pytest

from server.app.supervision import MOST_PAUSE_SECONDS, TOLD_SECONDS, Supervisor


class Clock:
    """Goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()


async def test_a_loop_is_run_again_after_pauses_that_grow() -> None:
    clock = Clock()
    supervisor = Supervisor(sleep=clock.sleep, monotonic=clock)
    assert supervisor.checks() == []
    runs = 0

    async def loop() -> None:
        nonlocal runs
        runs += 1
        if runs == 12:
            clock.now += 3 * MOST_PAUSE_SECONDS  # it goes well for a while
        if runs == 15:
            await anyio.sleep_forever()
        raise ZeroDivisionError

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run, "reaper", loop)
        with anyio.fail_after(10):
            while runs < 15:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert clock.slept == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 1, 2, 4]
    (check,) = supervisor.checks()
    assert (check.ok, check.required) == (False, False)
    assert "reaper (ZeroDivisionError)" in check.detail
    assert check.fix
    clock.now += TOLD_SECONDS
    assert supervisor.checks() == []


async def test_one_that_is_cancelled_ends() -> None:
    supervisor = Supervisor()
    with anyio.move_on_after(0.01) as limit:
        await supervisor.run("reaper", anyio.sleep_forever)
    assert limit.cancelled_caught
    assert supervisor.checks() == []


async def test_one_that_returns_is_run_again() -> None:
    clock = Clock()
    supervisor = Supervisor(sleep=clock.sleep, monotonic=clock)

    async def returns() -> None:
        if len(clock.slept) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await supervisor.run("pool", returns)
    assert "pool (it returned)" in supervisor.checks()[0].detail
