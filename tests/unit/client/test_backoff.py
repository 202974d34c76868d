from hypothesis import given
from hypothesis import strategies as st

from pyk8s.client.backoff import Backoff


@given(st.integers(1, 5000), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_a_random_part_of_a_doubling_span_under_the_cap(attempt: int, r: float) -> None:
    backoff = Backoff(base_seconds=0.25, cap_seconds=10, random=lambda: r)
    assert 0 <= backoff.delay(attempt) <= min(10, 0.25 * 2.0 ** min(attempt - 1, 50))


def test_the_span_doubles_from_the_base_and_stops_at_the_cap() -> None:
    backoff = Backoff(base_seconds=1, cap_seconds=5, random=lambda: 1.0)
    assert [backoff.delay(n) for n in range(1, 6)] == [1, 2, 4, 5, 5]
