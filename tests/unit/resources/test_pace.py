"""How long a cluster that sends much has to wait."""

from server.resources.pace import BURST_BYTES, BYTES_PER_SECOND, Pace


class Clock:
    """A time that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_a_burst_is_free_and_then_the_rate_holds() -> None:
    clock = Clock()
    pace = Pace(clock.sleep, now=lambda: clock.now)
    await pace.take(BURST_BYTES)
    assert clock.now == 0
    for _ in range(10):
        await pace.take(BYTES_PER_SECOND)
    assert clock.now == 10


async def test_a_pause_gives_the_burst_back_and_no_more() -> None:
    clock = Clock()
    pace = Pace(clock.sleep, now=lambda: clock.now)
    await pace.take(BURST_BYTES)
    clock.now = began = 1_000.0
    await pace.take(BURST_BYTES)
    assert clock.now == began
    await pace.take(BYTES_PER_SECOND)
    assert clock.now == began + 1
