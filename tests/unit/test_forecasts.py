"""What is expected of a create, and when one that goes on will be over."""

import json
import random
from pathlib import Path

import pytest

from pyk8s.wire.cluster import Step
from pyk8s.wire.forecast import Eta, eta_of
from pyk8s.wire.service import Expected
from server.store.forecasts import Run, expected_of, percentile

RUNS = [
    Run(
        20.0 + n,
        {"nodes": 1.0, "control_plane": 3.0, "access": 18.0 + n},
        {"nodes": 1.5, "control_plane": 10.0 + n, "access": 2.0},
    )
    for n in range(19)
]


def test_percentiles_lie_between_the_nearest_two() -> None:
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([1.0, 2.0], 0.5) == 1.5
    assert percentile(range(19), 0.95) == 18.0
    assert percentile(range(11), 0.95) == 10.0, "no further than what was seen"
    assert percentile(range(14), 0.1) == 0.5


@pytest.mark.parametrize("count", [19, 39])
def test_the_next_value_falls_between_as_often_as_is_said(count: int) -> None:
    chance = random.Random(1)
    inside, tries = 0, 4000
    for _ in range(tries):
        *known, following = (chance.lognormvariate(3, 0.3) for _ in range(count + 1))
        inside += percentile(known, 0.1) <= following <= percentile(known, 0.95)
    assert inside / tries == pytest.approx(0.85, abs=0.02)


def test_each_step_is_told_with_what_is_left_from_its_beginning() -> None:
    expected = expected_of(RUNS)
    assert (expected.p10, expected.p50, expected.p95, expected.samples) == (21.0, 29.0, 38.0, 19)
    assert [each.step for each in expected.steps] == [Step.NODES, Step.CONTROL_PLANE, Step.ACCESS]
    building = expected.steps[1]
    assert (building.p50, building.left_p10, building.left_p95) == (19.0, 18.0, 35.0)
    assert (expected.steps[2].p50, expected.steps[2].p95) == (2.0, 2.0)


def test_what_is_known_of_the_step_tells_more_than_the_whole() -> None:
    expected = expected_of(RUNS)
    assert eta_of(expected, spent=0) == Eta(21.0, 38.0)
    assert eta_of(expected, spent=28) == Eta(0.0, 10.0)
    assert eta_of(expected, spent=28, step=Step.CONTROL_PLANE, in_step=10) == Eta(8.0, 25.0)
    assert eta_of(expected, spent=28, step=Step.ACCESS, in_step=1.5) == Eta(0.5, 0.5)
    assert eta_of(expected, spent=28, step=Step.ACCESS, in_step=2.5) is None
    assert eta_of(expected, spent=28, step=Step.STORAGE, in_step=1) == Eta(0.0, 10.0)
    assert eta_of(expected, spent=60) is None


def test_people_read_whole_seconds_with_the_range_inside() -> None:
    assert Eta(8.2, 9.8).shown == (8, 10)
    assert Eta(0.0, 0.2).shown == (0, 1)
    assert Eta(9.0, 9.0).shown == (9, 9)


GOLDEN = Path(__file__).parents[1] / "golden" / "forecast.json"


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text()), ids=lambda case: case["name"])
def test_the_golden_file_that_the_page_is_held_to_as_well(case: dict[str, object]) -> None:
    expected = Expected.model_validate(case["expected"])
    step = Step(str(case["step"])) if case["step"] else None
    eta = eta_of(
        expected, spent=float(str(case["spent"])), step=step, in_step=float(str(case["in_step"]))
    )
    told = None if eta is None else {"low": eta.low, "high": eta.high}
    assert told == case["eta"]
