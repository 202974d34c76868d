"""Wrong passwords make the next try wait."""

import pytest

from server.commands.throttle import FREE_TRIES, LONGEST_WAIT_SECONDS, REMEMBERED, Throttle
from server.errors import TooManyAttempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_waits_double_up_to_a_bound() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(FREE_TRIES):
        throttle.admit("ann")
        throttle.failed("ann")
    waits = []
    for _ in range(12):
        with pytest.raises(TooManyAttempts) as refused:
            throttle.admit("ann")
        assert refused.value.retry_after is not None
        waits.append(refused.value.retry_after)
        clock.now += refused.value.retry_after
        throttle.admit("ann")
        throttle.failed("ann")
    assert waits[:4] == [2, 4, 8, 16]
    assert waits[-1] == LONGEST_WAIT_SECONDS


def test_another_account_is_not_held_up() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_TRIES + 3):
        throttle.failed("ann")
    throttle.admit("bob")


def test_the_right_password_forgives() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_TRIES):
        throttle.failed("ann")
    throttle.succeeded("ann")
    throttle.admit("ann")


def test_what_is_remembered_is_bounded() -> None:
    throttle = Throttle(Clock())
    for number in range(REMEMBERED + 50):
        throttle.failed(f"user{number}")
    assert len(throttle._failures) == REMEMBERED
