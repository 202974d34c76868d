"""Writes forecast.json: how long a create that goes on will still take. Run from the root.

The page has the same function as the command line; both are held to these cases.
"""

import json
from pathlib import Path
from typing import Any

from pyk8s.wire.cluster import Step
from pyk8s.wire.forecast import eta_of
from pyk8s.wire.service import Expected, ExpectedStep


def step(name: Step, lasts: tuple[float, float], left: tuple[float, float, float]) -> ExpectedStep:
    return ExpectedStep(
        step=name, p50=lasts[0], p95=lasts[1], left_p10=left[0], left_p50=left[1], left_p95=left[2]
    )


EMPTY = Expected(p10=16.2, p50=18.4, p95=24.0, samples=12, steps=[])
KNOWN = EMPTY.model_copy(
    update={
        "steps": [
            step(Step.NODES, (1.5, 2.2), (15.1, 17.0, 22.3)),
            step(Step.CONTROL_PLANE, (9.1, 12.6), (12.4, 14.2, 19.8)),
            step(Step.ACCESS, (0.3, 0.5), (0.2, 0.3, 0.5)),
        ]
    }
)
ONE = Expected(p10=18.0, p50=18.0, p95=18.0, samples=1, steps=[])
LONG = ONE.model_copy(update={"p10": 65.2, "p95": 130.8})

CASES: list[tuple[str, Expected, float, Step | None, float]] = [
    ("nothing has begun", KNOWN, 0.0, None, 0.0),
    ("no step is known: what is left of the whole", KNOWN, 4.25, None, 0.0),
    ("a step tells more than the whole", KNOWN, 4.0, Step.CONTROL_PLANE, 1.5),
    ("a slow beginning does not count once a step is known", KNOWN, 60.0, Step.CONTROL_PLANE, 1.5),
    ("a step without a history: the whole again", KNOWN, 5.0, Step.NETWORK, 0.7),
    ("no history of steps at all", EMPTY, 5.0, Step.CONTROL_PLANE, 0.7),
    ("it may be over any moment", KNOWN, 14.0, Step.CONTROL_PLANE, 13.0),
    ("just over the lowest", EMPTY, 16.24, None, 0.0),
    ("longer than it ever takes, by its step", KNOWN, 10.0, Step.CONTROL_PLANE, 19.9),
    ("longer than it ever takes, as a whole", KNOWN, 24.5, None, 0.0),
    ("exactly as long as it ever takes", KNOWN, 24.0, None, 0.0),
    ("hardly anything left, but something", KNOWN, 18.0, Step.ACCESS, 0.4375),
    ("so little left that it rounds to nothing", KNOWN, 18.0, Step.ACCESS, 0.4921875),
    ("one build: the low and the high are the same", ONE, 6.0, None, 0.0),
    ("halves of a tenth go to the even neighbour", ONE, 6.75, None, 0.0),
    ("three quarters are halves of a tenth, too", ONE, 6.25, None, 0.0),
    ("a decimal half that no computer holds exactly", ONE, 0.35, None, 0.0),
    ("minutes", LONG, 3.125, None, 0.0),
]


def case(
    name: str, expected: Expected, spent: float, at: Step | None, in_step: float
) -> dict[str, Any]:
    eta = eta_of(expected, spent=spent, step=at, in_step=in_step)
    return {
        "name": name,
        "expected": expected.model_dump(mode="json"),
        "spent": spent,
        "step": at,
        "in_step": in_step,
        "eta": None if eta is None else {"low": eta.low, "high": eta.high},
    }


if __name__ == "__main__":
    made = [case(*each) for each in CASES]
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    Path(__file__).with_name("forecast.json").write_text(text)
