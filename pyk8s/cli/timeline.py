"""timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from pyk8s.cli.command import command
from pyk8s.cli.names import Name, find
from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table

if TYPE_CHECKING:
    from pyk8s.wire.events import ClusterEvent
    from pyk8s.wire.service import Expected


@dataclass(frozen=True, slots=True)
class Row:
    """A step of a create. Times are seconds; `seconds` None: it goes on."""

    step: str
    began_after: float
    seconds: float | None
    outcome: str | None
    usual: float | None
    rarely_more: float | None


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @command(app, "timeline")
    async def _(session: Session, name: Name) -> None:
        """Show how long each step of the last create took, beside what it usually takes."""
        async with session.lab() as lab:
            cluster = await find(lab, name)
            events = [item.event async for item in cluster.stored_events() if item.event]
            templates = {each.name: each for each in await lab.templates()}
        template = templates.get(cluster.snapshot.template)
        rows = rows_of(events, template.expected_seconds if template else None)
        documents = [_document(row) for row in rows]
        session.show(
            {"items": documents},
            name=lambda item: str(item["step"]),
            table=lambda: _show(session, rows, from_pool=cluster.snapshot.from_pool),
        )


def rows_of(events: "Sequence[ClusterEvent]", expected: "Expected | None") -> list[Row]:
    """Give the steps of the last attempt in their order. Pure."""
    from pyk8s.wire.events import AttemptStartedEvent, StepFinishedEvent, StepStartedEvent

    began: datetime | None = None
    steps: dict[str, tuple[datetime, float | None, str | None]] = {}
    for event in events:
        match event:
            case AttemptStartedEvent(at=at):
                began, steps = at, {}
            case StepStartedEvent(at=at, data=data):
                steps[data.step.value] = (at, None, None)
            case StepFinishedEvent(data=data) if data.step.value in steps:
                since, _, _ = steps[data.step.value]
                steps[data.step.value] = (since, data.duration_seconds, data.outcome)
            case _:
                pass
    usual = {each.step.value: each for each in expected.steps} if expected else {}
    return [
        Row(
            step=step,
            began_after=round((since - (began or since)).total_seconds(), 1),
            seconds=seconds,
            outcome=outcome,
            usual=usual[step].p50 if step in usual else None,
            rarely_more=usual[step].p95 if step in usual else None,
        )
        for step, (since, seconds, outcome) in steps.items()
    ]


def _document(row: Row) -> dict[str, Any]:
    return {
        "step": row.step,
        "began_after_seconds": row.began_after,
        "duration_seconds": row.seconds,
        "outcome": row.outcome,
        "usual_seconds": row.usual,
        "rarely_more_seconds": row.rarely_more,
    }


def _show(session: Session, rows: Sequence[Row], *, from_pool: bool) -> None:
    from pyk8s.cli.show import STEP_TITLE

    if not rows:
        why = "It was built ahead of time" if from_pool else "Nothing of it was built yet"
        session.say(f"{why}: there are no steps.")
        return
    titles = {step.value: title for step, title in STEP_TITLE.items()}
    lines = [
        [
            Cell(titles.get(row.step, row.step), "red" if row.outcome == "failed" else ""),
            Cell(_seconds(row.began_after)),
            Cell(_seconds(row.seconds) if row.seconds is not None else "goes on"),
            Cell(_seconds(row.usual)),
            Cell(_seconds(row.rarely_more)),
        ]
        for row in rows
    ]
    names = ("STEP", "BEGAN AFTER", "TOOK", "USUALLY", "RARELY MORE THAN")
    session.print_table(Table([Column(each) for each in names], lines))
    slowest = max(rows, key=lambda row: row.seconds or 0.0)
    if slowest.seconds:
        session.say(f"What took longest: {titles.get(slowest.step, slowest.step)}.", style="dim")


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"
