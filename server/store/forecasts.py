"""How long creates take, step by step, told from the last ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, and_, select

from pyk8s.wire.cluster import Step
from pyk8s.wire.service import Expected, ExpectedStep
from server.store.database import ReadSession
from server.store.event_tables import EventRow
from server.store.recent import last_ready
from server.store.tables import AttemptRow

HISTORY: Final = 50
"""From so many of a template's last creates a forecast is made."""
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.95


@dataclass(slots=True)
class Run:
    """A create that came to its end. Seconds from its beginning."""

    ready: float
    steps: dict[str, float] = field(default_factory=dict)
    """When each step began."""
    lasted: dict[str, float] = field(default_factory=dict)
    """How long each step took."""


async def expected(session: ReadSession) -> dict[tuple[str, str], Expected]:
    """Tell how long each template takes, by template and driver.

    What a create waited for its turn is not counted, nor what came from the pool, nor clusters of
    another shape than the template's.
    """
    runs: dict[tuple[str, str], dict[UUID, Run]] = {}
    for row in await session.execute(_last()):
        template, driver, cluster_id, began, ready_at, step, seconds, at = row
        run = runs.setdefault((template, driver), {}).setdefault(
            cluster_id, Run(_seconds(began, ready_at))
        )
        if step is not None and seconds is None:
            run.steps[step] = _seconds(began, at)
        elif step is not None:
            run.lasted[step] = float(seconds or 0)
    return {key: expected_of([*of_key.values()]) for key, of_key in runs.items()}


def expected_of(runs: Sequence[Run]) -> Expected:
    """Add up runs, of which there is at least one. Pure."""
    totals = [run.ready for run in runs]
    steps = [made for step in Step if (made := _step(step, runs)) is not None]
    return Expected(
        p10=percentile(totals, LOW),
        p50=percentile(totals, MIDDLE),
        p95=percentile(totals, HIGH),
        samples=len(totals),
        steps=steps,
    )


def percentile(values: Iterable[float], share: float) -> float:
    """Give what the next value will probably be below of, to a tenth of a second.

    The next of n + 1 values lies below the k-th of the n that are known with a probability of
    k / (n + 1) (Weibull's plotting position). Of few values the usual percentiles, which have
    n - 1 in the place of n + 1, lie too near to the middle: a range between them is too narrow.
    """
    ordered = sorted(values)
    place = min(max(share * (len(ordered) + 1) - 1, 0.0), len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    value = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    return round(value, 1)


def _step(step: Step, runs: Sequence[Run]) -> ExpectedStep | None:
    known = [run for run in runs if step in run.steps and step in run.lasted]
    if not known:
        return None
    lasted = [run.lasted[step] for run in known]
    left = [run.ready - run.steps[step] for run in known]
    return ExpectedStep(
        step=step,
        p50=percentile(lasted, MIDDLE),
        p95=percentile(lasted, HIGH),
        left_p10=percentile(left, LOW),
        left_p50=percentile(left, MIDDLE),
        left_p95=percentile(left, HIGH),
    )


def _seconds(began: datetime, at: datetime) -> float:
    return max(0.0, (at - began).total_seconds())


def _last() -> Select[str, str, UUID, datetime, datetime, str | None, str | None, datetime]:
    last = last_ready(HISTORY, as_preset=True)
    return (
        select(
            last.c.template,
            last.c.driver,
            last.c.id,
            AttemptRow.started_at,
            last.c.ready_at,
            EventRow.data["step"].astext,
            EventRow.data["duration_seconds"].astext,
            EventRow.at,
        )
        .join(
            AttemptRow,
            and_(
                AttemptRow.cluster_id == last.c.id,
                AttemptRow.outcome == "succeeded",
                AttemptRow.started_at <= last.c.ready_at,
            ),
        )
        .outerjoin(
            EventRow,
            and_(
                EventRow.cluster_id == last.c.id,
                EventRow.type.in_(("step_started", "step_finished")),
                EventRow.at >= AttemptRow.started_at,
            ),
        )
    )
