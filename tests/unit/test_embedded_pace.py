"""How long the server waits before it starts its PostgreSQL again."""

import pytest

from server.store.embedded_watch import (
    BURST_DEATHS,
    LONGEST_DELAY_SECONDS,
    SECONDS_PER_DEATH,
    Pace,
)


def test_a_death_is_answered_at_once_and_twenty_in_a_row_are() -> None:
    pace = Pace()
    assert [pace.after_death(float(now)) for now in range(20)] == [0.0] * 20


def test_one_that_keeps_dying_is_not_started_in_a_hot_loop() -> None:
    pace, now = Pace(), 0.0
    for _ in range(BURST_DEATHS):
        assert pace.after_death(now) == 0.0
    for _ in range(10):
        delay = pace.after_death(now)
        assert delay == pytest.approx(SECONDS_PER_DEATH)
        now += delay


def test_quiet_time_earns_the_burst_back() -> None:
    pace = Pace()
    for _ in range(BURST_DEATHS + 1):
        pace.after_death(0.0)
    assert pace.after_death(SECONDS_PER_DEATH * BURST_DEATHS * 2) == 0.0


def test_failed_starts_are_tried_again_ever_more_slowly() -> None:
    pace = Pace()
    delays = [pace.after_failure() for _ in range(100)]
    assert delays == sorted(delays)
    assert delays[0] < 1 < LONGEST_DELAY_SECONDS == delays[-1]


def test_a_good_start_forgets_the_failed_ones() -> None:
    pace = Pace()
    first = pace.after_failure()
    pace.after_failure()
    pace.after_death(0.0)
    assert pace.after_failure() == first
