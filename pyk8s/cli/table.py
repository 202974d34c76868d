"""Tables of words: aligned, without lines, as wide as the terminal at most."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

GAP = 2
LEAST_PROSE = 16


class Cell(NamedTuple):
    """Text, and the style that a terminal may show it in."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading. Where there is no room the highest `dispensable` goes first; 0 stays."""

    title: str
    dispensable: int = 0
    is_elastic: bool = False
    """Prose that may be cut short; only for the last column."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of the same length."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]

    def fitted(self, width: int | None) -> list[list[Cell]]:
        """Give the lines, padded, the heading first; without the columns that do not fit."""
        lines = [[Cell(column.title, "dim") for column in self.columns], *self.rows]
        shown = list(range(len(self.columns)))
        widths = [max(len(line[i].text) for line in lines) for i in shown]
        if width is not None and self.columns[-1].is_elastic:
            room = width - sum(widths[:-1]) - GAP * len(widths[:-1])
            if LEAST_PROSE <= room < widths[-1]:
                widths[-1] = room
                lines = [[*line[:-1], _cut(line[-1], room)] for line in lines]
        while width is not None and sum(widths[i] + GAP for i in shown) - GAP > width:
            least = max(shown, key=lambda i: self.columns[i].dispensable)
            if not self.columns[least].dispensable:
                break
            shown.remove(least)
        return [[_padded(line[i], widths[i], i == shown[-1]) for i in shown] for line in lines]


def _cut(cell: Cell, width: int) -> Cell:
    return cell if len(cell.text) <= width else Cell(cell.text[: width - 1] + "…", cell.style)


def _padded(cell: Cell, width: int, is_last: bool) -> Cell:
    return cell if is_last else Cell(cell.text.ljust(width + GAP), cell.style)
