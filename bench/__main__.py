"""The command line: `python -m bench stream`, or bench/run stream."""

import argparse
import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
from rich.console import Console

from bench import machine, report
from bench.measure import Figure, Scale, Setting
from bench.rows import HERE, SUITES, Row
from bench.site import FLAME_HZ, open_site
from server.config import REPOSITORY

RESULTS = REPOSITORY / "bench" / "results"
IMAGES = REPOSITORY / "docs" / "images"
SCRATCH = REPOSITORY / ".pyk8s" / "bench"
PLOTTED = "stream"
"""The suite with enough rows to be worth a picture."""
REPEAT = {Scale.FULL: 3, Scale.QUICK: 3, Scale.TINY: 1}


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures what docs/reference/design.md promises in numbers, each against "
        "its baseline in the same run. Rows of full size go into bench/results/SUITE.json and "
        "docs/images/bench-*.svg, others to .pyk8s/bench.",
    )
    made.add_argument("suite", choices=list(SUITES), help="what is measured")
    every = [row for rows in SUITES.values() for row in rows]
    made.add_argument("--only", action="append", choices=every, metavar="ROW",
                      help=f"only this row, or these: {', '.join(every)}")  # fmt: skip
    sizes = made.add_mutually_exclusive_group()
    sizes.add_argument("--quick", dest="scale", action="store_const", const=Scale.QUICK,
                       default=Scale.FULL, help="small sizes: about a minute")  # fmt: skip
    sizes.add_argument("--tiny", dest="scale", action="store_const", const=Scale.TINY,
                       help="whether it works at all; the figures mean nothing")  # fmt: skip
    made.add_argument("--repeat", type=positive, metavar="N",
                      help="measure ours and the baseline so many times, in turn")  # fmt: skip
    made.add_argument("--output", type=Path, metavar="DIR", help="where JSON and plots go")
    made.add_argument("--profile", choices=every, metavar="ROW",
                      help="measure this row while py-spy watches: a flame graph")  # fmt: skip
    return made


def positive(text: str) -> int:
    """Read a number above zero."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("has to be at least 1")
    return value


Keep = Callable[[str, list[Figure], dict[str, Any], dict[str, Any]], None]
"""Gets a row, its figures, what the machine is and what it did at that moment."""


async def measure(
    rows: Mapping[str, Row],
    names: Sequence[str],
    scale: Scale,
    repeat: int,
    *,
    flame: Path | None,
    keep: Keep,
    console: Console,
) -> list[str]:
    """Measure rows one after the other; give those that broke, which costs the others nothing."""
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    broken: list[str] = []
    async with open_site(flame) as site:
        facts = machine.facts(await site.postgres_version())
        for name in names:
            moment = machine.moment() | {"scale": scale.value, "repeat": repeat}
            console.print(f"[dim]measuring {name}, load {moment['load_before']} ...[/]")
            try:
                keep(name, await rows[name](Setting(site, scale, repeat)), facts, moment)
            except Exception:
                console.print_exception()
                broken.append(name)
    return broken


def main(argv: Sequence[str]) -> int:
    """Read the command line, measure, show."""
    given = parser().parse_args(argv)
    console = Console(stderr=True)
    if not machine.is_linux():
        console.print("bench/run reads /proc: it works on Linux only")
        return 1
    machine.raise_open_files()
    rows = SUITES[given.suite]
    names, flame = [row for row in rows if row in (given.only or rows)], None
    if given.profile:
        names, flame = [given.profile], IMAGES / f"bench-{given.profile}-flame.svg"
        if given.profile in HERE:
            profile_all(given.profile, flame, given.scale)
    is_kept = given.scale is Scale.FULL and not given.output
    results, images = (RESULTS, IMAGES) if is_kept else (given.output or SCRATCH,) * 2
    repeat = given.repeat or (1 if flame else REPEAT[given.scale])
    measured: list[Figure] = []

    def keep(
        row: str, figures: list[Figure], facts: dict[str, Any], moment: dict[str, Any]
    ) -> None:
        measured.extend(figures)
        if flame is None:  # under a profiler it is slower
            told = report.write_json(
                results / f"{given.suite}.json", row, figures, machine=facts, moment=moment
            )
            if given.suite == PLOTTED:
                report.write_plots(images, told)

    try:
        broken = anyio.run(
            lambda: measure(
                rows, names, given.scale, repeat, flame=flame, keep=keep, console=console
            ),
            backend_options={"use_uvloop": True},
        )
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped; nothing is left behind")
        return 130
    if flame is not None:
        entitle(flame, f"{measured[0].what}: where the server is")
    report.show(Console(), measured, given.suite)
    console.print(f"written: {flame or f'{results}/{given.suite}.json, {images}/bench-*.svg'}")
    if broken:
        console.print(f"[red]broken:[/] {', '.join(broken)}")
        return 1
    return 0


def entitle(flame: Path, title: str) -> None:
    """Give a flame graph a title in place of py-spy's, which is its command line."""
    drawn = flame.read_text(encoding="utf-8")
    flame.write_text(re.sub(r"py-spy record[^<]*", title, drawn, count=1), encoding="utf-8")


def profile_all(row: str, flame: Path, scale: Scale) -> None:
    """Become py-spy around a run of a row that works in this process. Does not return."""
    size = [] if scale is Scale.FULL else [f"--{scale.value}"]
    os.execvp(
        "py-spy",
        ["py-spy", "record", "--output", str(flame), "--rate", str(FLAME_HZ), "--nonblocking",
         "--", sys.executable, "-m", "bench", "stream", "--only", row, "--repeat", "1", *size],
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
