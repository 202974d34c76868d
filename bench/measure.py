"""What a measurement is: figures of ours, of the baseline in the same run, and the target."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median
from typing import Any, Literal, NamedTuple, TypeVar

from bench.site import Site

LEAST = 0.001
"""A baseline below it is below what the clock of the kernel can tell."""


Measured = TypeVar("Measured")


class Scale(StrEnum):
    """How much is measured. Only figures of `full` are compared with the targets."""

    FULL = "full"
    QUICK = "quick"
    TINY = "tiny"


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be: `of` the ratio to the baseline, or of ours alone."""

    of: Literal["ratio", "ours"]
    how: Literal[">=", "<=", "<"]
    value: float

    def met_by(self, value: float) -> bool:
        """Tell whether a value is good enough."""
        match self.how:
            case ">=":
                return value >= self.value
            case "<=":
                return value <= self.value
            case "<":
                return value < self.value

    def __str__(self) -> str:
        suffix = "x" if self.of == "ratio" else ""
        return f"{self.how} {self.value:,g}{suffix}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: the same thing measured several times, in turn with its baseline."""

    row: str
    what: str
    unit: str
    ours: Sequence[float] = ()
    baseline: Sequence[float] = ()
    baseline_is: str = ""
    targets: Sequence[Target] = ()
    curve: Sequence[float] = ()
    """Percentiles 0 to 100, for a figure that is one of many values."""
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours over the baseline of the same turn."""
        pairs = zip(self.ours, self.baseline, strict=bool(self.baseline))
        return [mine / max(other, LEAST) for mine, other in pairs]

    def value(self, of: Literal["ratio", "ours"]) -> float:
        """Give the median."""
        return median(self.ratios if of == "ratio" else self.ours)

    @property
    def is_met(self) -> bool | None:
        """Whether all targets are met. None: there are none."""
        if not self.targets:
            return None
        return all(target.met_by(self.value(target.of)) for target in self.targets)

    def plain(self) -> dict[str, Any]:
        """Give what goes into the JSON file."""
        told: dict[str, Any] = {
            "row": self.row,
            "what": self.what,
            "unit": self.unit,
            "ours": rounded(self.value("ours")),
            "ours_each": [rounded(each) for each in self.ours],
        }
        if self.baseline:
            told |= {
                "baseline": rounded(median(self.baseline)),
                "baseline_each": [rounded(each) for each in self.baseline],
                "baseline_is": self.baseline_is,
                "ratio": rounded(self.value("ratio")),
                "ratio_from": rounded(min(self.ratios)),
                "ratio_to": rounded(max(self.ratios)),
            }
        if self.targets:
            told |= {"targets": [str(target) for target in self.targets], "met": self.is_met}
        for target in self.targets:
            if target.of == "ratio":
                told["target_ratio"] = target.value
        if self.curve:
            told["curve"] = [rounded(each) for each in self.curve]
        if self.note:
            told["note"] = self.note
        return told


def rounded(value: float) -> float:
    """Keep four digits: more would be noise."""
    return float(f"{value:.4g}")


@dataclass(frozen=True, slots=True)
class Setting:
    """What a row gets: where it may work, how much it measures, how often."""

    site: Site
    scale: Scale
    repeat: int


class Sample(NamedTuple):
    """One measurement. `cpu` is the processor time that the work took, in seconds.

    Work per second says what people feel; the processor time hardly depends on what else the
    machine does meanwhile.
    """

    per_second: float
    cpu: float


def two_figures(
    figure: Figure, mine: Sequence[Sample], other: Sequence[Sample], of: str
) -> list[Figure]:
    """Put measurements into a figure, and the processor time into one of its own."""
    cpu = Figure(
        figure.row,
        f"{figure.what}, CPU of {of}",
        "s",
        [each.cpu for each in mine],
        [each.cpu for each in other],
        figure.baseline_is,
    )
    work = replace(
        figure,
        ours=[each.per_second for each in mine],
        baseline=[each.per_second for each in other],
    )
    return [work, cpu]


async def alternate(
    repeat: int,
    ours: Callable[[], Awaitable[Measured]],
    baseline: Callable[[], Awaitable[Measured]],
) -> tuple[list[Measured], list[Measured]]:
    """Measure both in turn, so that what the machine does meanwhile meets both."""
    mine, other = [], []
    for _ in range(repeat):
        mine.append(await ours())
        other.append(await baseline())
    return mine, other


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the value that so many percent of all do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


def curve(values: Sequence[float]) -> list[float]:
    """Give the percentiles 0 to 100."""
    ranked = sorted(values)
    return [percentile(ranked, percent) for percent in range(101)]
