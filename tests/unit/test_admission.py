"""Admission: what may begin, and what the others are told that they wait for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.admission import (
    GIB,
    RESERVED_MEMORY,
    Held,
    Load,
    Need,
    Space,
    room_for,
    shortage,
    standing_shortage,
)

NEED = Need(memory=GIB, build_cores=1.4, standing_cores=0.1)
STANDING, BUILDING = Held(NEED, is_building=False), Held(NEED, is_building=True)
LARGE = Space(cpus=64, memory_total=256 * GIB, memory_available=200 * GIB)


def load(standing: int = 0, building: int = 0) -> Load:
    return Load((STANDING,) * standing + (BUILDING,) * building)


def test_the_first_cluster_of_a_machine_waits_for_nothing() -> None:
    tiny = Space(cpus=1, memory_total=GIB, memory_available=GIB // 4)
    assert shortage(tiny, Load(), NEED, max_creates=1) is None


def test_builds_are_as_many_as_the_processors_take() -> None:
    two_cores = replace(LARGE, cpus=2)
    assert shortage(two_cores, load(building=1), NEED, max_creates=None) is None
    said = shortage(two_cores, load(building=2), NEED, max_creates=None)
    assert said == "its processors are busy building 2 clusters"
    three_nodes = shortage(two_cores, load(building=1), NEED.times(3), max_creates=None)
    assert three_nodes == "its processors are busy building 1 cluster"
    assert shortage(two_cores, load(standing=1), NEED.times(3), max_creates=None) is None


def test_an_operators_limit_counts_instead_of_the_processors() -> None:
    two_cores = replace(LARGE, cpus=2)
    assert shortage(two_cores, load(building=5), NEED, max_creates=6) is None
    said = shortage(LARGE, load(building=1), NEED, max_creates=1)
    assert said == "this host builds 1 cluster at a time"


@pytest.mark.parametrize(
    "space",
    [
        Space(cpus=64, memory_total=RESERVED_MEMORY + 3 * GIB, memory_available=None),
        Space(cpus=64, memory_total=256 * GIB, memory_available=GIB),
    ],
)
def test_memory_is_short_by_what_is_promised_or_by_what_is_there(space: Space) -> None:
    said = shortage(space, load(standing=3), NEED, max_creates=None)
    assert said is not None
    assert "1.0 GiB of memory" in said


def test_memory_that_builds_will_take_is_not_given_twice() -> None:
    space = replace(LARGE, memory_available=3 * GIB)
    assert shortage(space, load(building=1), NEED, max_creates=9) is None
    assert shortage(space, load(building=2), NEED, max_creates=9) is not None


def test_clusters_that_nobody_uses_keep_processors_busy_but_paused_ones_do_not() -> None:
    one_core = replace(LARGE, cpus=1)
    assert standing_shortage(one_core, load(standing=7), NEED) is None
    said = standing_shortage(one_core, load(standing=8), NEED)
    assert said is not None
    assert "processors" in said
    paused = Load((replace(STANDING, is_paused=True),) * 8)
    assert standing_shortage(one_core, paused, NEED) is None


def test_what_nobody_could_measure_limits_nothing() -> None:
    unknown = Space(cpus=None, memory_total=None, memory_available=None)
    assert shortage(unknown, load(50, 50), NEED, max_creates=None) is None


@given(
    st.integers(1, 16),
    st.integers(1, 64),
    st.integers(0, 64),
    st.integers(0, 10),
    st.integers(1, 3),
)
def test_room_is_just_what_admission_lets_in(
    cpus: int, total: int, available: int, standing: int, nodes: int
) -> None:
    space = Space(cpus, total * GIB, available * GIB)
    now, wanted = load(standing), NEED.times(nodes)
    room = room_for(space, now, wanted)
    for _ in range(room):
        assert standing_shortage(space, now, wanted) is None
        now = now.plus(Held(wanted, is_building=True))
    assert standing_shortage(space, now, wanted) is not None
    assert now.memory <= max(total * GIB - RESERVED_MEMORY, load(standing).memory)
