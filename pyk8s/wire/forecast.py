"""When a create will be over: pure, shared by the command line and the page.

Golden files in `tests/golden` hold both to it.
"""

import math
from dataclasses import dataclass

from pyk8s.wire.cluster import Step
from pyk8s.wire.service import Expected


@dataclass(frozen=True, slots=True)
class Eta:
    """In how many seconds from now it will probably be over."""

    low: float
    high: float

    @property
    def shown(self) -> tuple[int, int]:
        """As people read it: in whole seconds, rounded away from each other, never 0 at the end."""
        return math.floor(self.low), max(1, math.ceil(self.high))


def eta_of(
    expected: Expected, *, spent: float, step: Step | None = None, in_step: float = 0.0
) -> Eta | None:
    """Say when it will be over: in nine of ten creates not before `low`, in 19 of 20 by `high`.

    `spent`: seconds since the create began; `in_step`: since its present step did. What was learned
    of the step tells more than the whole. None: it takes longer than it ever does.
    """
    known = next((each for each in expected.steps if each.step == step), None)
    if known is not None:
        low, high = known.left_p10 - in_step, known.left_p95 - in_step
    else:
        low, high = expected.p10 - spent, expected.p95 - spent
    if high <= 0:
        return None
    return Eta(max(0.0, round(low, 1)), round(high, 1))
