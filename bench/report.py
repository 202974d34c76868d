"""Shows the figures: a table for people, JSON for programs, plots for the documentation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import svg
from bench.measure import Figure
from bench.rows import SUITES

VERDICTS = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}


def number(value: float) -> str:
    """Write a figure with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004


def show(console: Console, figures: Sequence[Figure], suite: str) -> None:
    """Print the table."""
    table = Table(title=f"bench/run {suite}")
    for head in ("row", "what", "ours", "baseline", "ratio", "target", ""):
        table.add_column(head, justify="left" if head in {"row", "what", ""} else "right")
    for figure in figures:
        table.add_row(
            figure.row,
            figure.what,
            f"{number(figure.value('ours'))} {figure.unit}",
            number(median(figure.baseline)) if figure.baseline else "",
            ratio(figure),
            "\n".join(map(str, figure.targets)),
            VERDICTS[figure.is_met],
        )
    console.print(table)


def ratio(figure: Figure) -> str:
    """Write the ratio, with its spread where it was measured several times."""
    if not figure.baseline:
        return ""
    told = f"{figure.value('ratio'):.2f}x"
    if len(figure.ratios) > 1:
        told += f" ({min(figure.ratios):.2f} to {max(figure.ratios):.2f})"
    return told


def write_json(
    path: Path,
    row: str,
    figures: Sequence[Figure],
    *,
    machine: Mapping[str, Any],
    moment: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Put the figures of a row where its last ones were; give all that the file has now."""
    kept = json.loads(path.read_text())["figures"] if path.exists() else []
    order = [name for suite in SUITES.values() for name in suite]
    every = {name: [each for each in kept if each["row"] == name] for name in order}
    every[row] = [figure.plain() | {"run": dict(moment)} for figure in figures]
    told = [each for name in order for each in every[name]]
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"machine": dict(machine), "figures": told}
    path.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    return told


def write_plots(folder: Path, figures: Sequence[Mapping[str, Any]]) -> None:
    """Draw the ratios, and how long lines are under way."""
    folder.mkdir(parents=True, exist_ok=True)
    bars = [
        svg.Bar(
            name_of(each), each["ratio"], each["ratio_from"], each["ratio_to"],
            each.get("target_ratio"),
            next((target for target in each.get("targets", ()) if target.endswith("x")), ""),
        )
        for each in figures
        if "ratio" in each and each["row"] != "latency" and "CPU" not in each["what"]
    ]  # fmt: skip
    if bars:
        title, unit = "Ours against the baseline of the same run", "ratio to the baseline"
        (folder / "bench-ratios.svg").write_text(svg.bars(title, unit, bars))
    shown = {
        each["what"].removeprefix("line to client, ").rpartition(",")[0]: each["curve"]
        for each in figures
        if "curve" in each
    }
    if shown:
        title = "From the line that the driver writes to the event in the client"
        unit = "milliseconds (logarithmic); so many per cent of all lines take at most so long"
        (folder / "bench-latency.svg").write_text(svg.curves(title, unit, shown))


def name_of(figure: Mapping[str, Any]) -> str:
    """Name a bar."""
    variant = figure["what"].partition(", ")[2]
    return f"{figure['row']}, {variant}" if variant else str(figure["row"])
