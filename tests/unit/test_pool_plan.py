"""What is done about the pool, decided without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pyk8s.wire.cluster import Phase
from server.commands.pool import Plan, Sight, plan
from server.store.pool import Member

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)
EMPTY = Sight(
    size=3,
    version="v1",
    members=[],
    people_wait=False,
    failures=0,
    failed_seconds_ago=0.0,
    sleeps_well=True,
)


def member(number: int, phase: Phase = Phase.READY, **other: object) -> Member:
    made = Member(
        cluster_id=UUID(int=number),
        template="default",
        kubernetes_version="v1",
        phase=phase,
        is_well=True,
        is_changing=False,
        has_settled=True,
        created_at=BEGIN + timedelta(seconds=number),
    )
    return replace(made, **other)  # type: ignore[arg-type]


def ids(*numbers: int) -> tuple[UUID, ...]:
    return tuple(UUID(int=number) for number in numbers)


def test_one_at_a_time_is_built_and_the_next_in_line_stays_awake() -> None:
    assert plan(EMPTY) == Plan(create=True)
    one = replace(EMPTY, members=[member(1, Phase.PROVISIONING, is_changing=True)])
    assert plan(one) == Plan(waits_for="one is being built")
    assert plan(replace(EMPTY, members=[member(1)])) == Plan(create=True)
    three = replace(EMPTY, members=[member(1), member(2), member(3, is_changing=True)])
    assert plan(three) == Plan(pause=ids(2))
    young = replace(EMPTY, members=[member(1), member(2, has_settled=False)], size=2)
    assert plan(young) == Plan()
    taken = [member(2, Phase.PAUSED), member(3, Phase.PAUSED)]
    assert plan(replace(EMPTY, members=taken)) == Plan(create=True, wake=ids(2))


def test_what_does_not_sleep_well_stays_awake() -> None:
    three = replace(EMPTY, members=[member(1), member(2), member(3)], sleeps_well=False)
    assert plan(three) == Plan()


def test_people_go_before_the_pool() -> None:
    waiting = plan(replace(EMPTY, people_wait=True))
    assert waiting == Plan(waits_for="somebody's cluster is being built")


@pytest.mark.parametrize(
    ("failures", "ago", "waits"),
    [(1, 14, True), (1, 16, False), (3, 59, True), (3, 61, False), (30, 599, True)],
)
def test_after_failures_it_waits_longer_each_time(failures: int, ago: float, waits: bool) -> None:
    made = plan(replace(EMPTY, failures=failures, failed_seconds_ago=ago))
    assert made.create is not waits
    assert (made.waits_for is not None) is waits


def test_what_is_wrong_old_or_too_much_goes() -> None:
    found = [
        member(1, Phase.FAILED),
        member(2, kubernetes_version="v0"),
        member(3, Phase.PAUSED, is_well=False),
        member(4, Phase.FAILED, is_changing=True),
        member(5, Phase.DELETING),
        member(6),
        member(7, Phase.PAUSED),
    ]
    made = plan(replace(EMPTY, size=1, members=[each for each in found if each != found[3]]))
    assert made == Plan(delete=ids(1, 2, 3, 6), wake=ids(7))
    assert plan(replace(EMPTY, size=0, members=found[-2:])).delete == ids(6, 7)


def test_a_pool_that_shrinks_keeps_what_is_ready() -> None:
    found = [member(1, Phase.PAUSED), member(2), member(3, Phase.PROVISIONING, is_changing=True)]
    assert plan(replace(EMPTY, size=2, members=found)) == Plan(delete=ids(3))
    assert plan(replace(EMPTY, size=1, members=found)).delete == ids(3, 1)
    assert plan(replace(EMPTY, size=0, members=found)).delete == ids(3, 1, 2)
