"""How fast the output of terminals may come."""

from uuid import UUID, uuid4

from server.terminals.pace import BURST_BYTES, PIECE_BYTES, USERS_AT_FULL_RATE, Pace

RATE = 1024 * 1024
CHUNK = 32 * 1024


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def flood(pace: Pace, clock: Clock, users: list[UUID], *, terminals: int, seconds: float) -> int:
    """Print as fast as may be in some terminals of each user; return how many bytes came."""
    free_at = {(user, number): clock.now for user in users for number in range(terminals)}
    until, came = clock.now + seconds, 0
    while True:
        one = min(free_at, key=lambda each: free_at[each])
        if free_at[one] >= until:
            clock.now = until
            return came
        clock.now = max(clock.now, free_at[one])
        came += CHUNK
        free_at[one] = clock.now + pace.charge(one[0], CHUNK)


def test_a_file_of_some_mib_comes_at_once() -> None:
    pace, user = Pace(RATE, Clock()), uuid4()
    assert all(pace.charge(user, CHUNK) == 0 for _ in range(BURST_BYTES // CHUNK))
    assert pace.charge(user, CHUNK) > 0


def test_a_user_has_one_rate_in_however_many_terminals() -> None:
    for terminals in (1, 10):
        clock = Clock()
        came = flood(Pace(RATE, clock), clock, [uuid4()], terminals=terminals, seconds=60)
        assert BURST_BYTES + 59 * RATE < came < BURST_BYTES + 61 * RATE


def test_tiny_pieces_count_for_more_than_their_bytes() -> None:
    clock = Clock()
    pace, user = Pace(RATE, clock), uuid4()
    pieces = 0
    while clock.now < 160:
        clock.now += pace.charge(user, 1)
        pieces += 1
    assert pieces < (BURST_BYTES + 61 * RATE) / PIECE_BYTES


def test_one_who_floods_does_not_hold_up_another() -> None:
    clock = Clock()
    pace, other = Pace(RATE, clock), uuid4()
    flood(pace, clock, [uuid4()], terminals=10, seconds=60)
    assert pace.charge(other, CHUNK) == 0


def test_many_who_flood_share_what_some_would_get() -> None:
    clock = Clock()
    pace, users = Pace(RATE, clock), [uuid4() for _ in range(5 * USERS_AT_FULL_RATE)]
    flood(pace, clock, users, terminals=2, seconds=30)
    came = flood(pace, clock, users, terminals=2, seconds=60)
    assert 0.8 < came / (60 * RATE * USERS_AT_FULL_RATE) < 1.2
    clock.now += 60
    alone = flood(pace, clock, users[:1], terminals=1, seconds=60)
    assert alone > BURST_BYTES + 58 * RATE


def test_after_a_rest_it_comes_at_once_again() -> None:
    clock = Clock()
    pace, user = Pace(RATE, clock), uuid4()
    flood(pace, clock, [user], terminals=3, seconds=30)
    clock.now += 2 * BURST_BYTES / RATE
    assert all(pace.charge(user, CHUNK) == 0 for _ in range(BURST_BYTES // CHUNK))
