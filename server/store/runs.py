"""Events as they go over the wire, read in one piece. Pure.

A run is text: its events, one on a line. A stored chunk of the log is one already, so the way from
the database to a socket takes nothing apart and encodes nothing again.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

SEPARATOR: Final = ",\n"
RUN_EVENTS: Final = 256
RUN_CHARS: Final = 64 * 1024
"""A run is cut where it has so many events or so much text; one event may be longer."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event; `text` is how it goes over the wire."""

    seq: int
    type: str
    text: str

    @property
    def data(self) -> dict[str, Any]:
        """What happened."""
        data: dict[str, Any] = orjson.loads(self.text)["data"]
        return data

    def encode(self, cluster_id: UUID | None = None) -> str:
        """Write the event, with its cluster's id if one is given."""
        if cluster_id is None:
            return self.text
        return f'{{"cluster_id":"{cluster_id}",{self.text[1:]}'


@dataclass(frozen=True, slots=True)
class Run:
    """Events `first` to `last`, all of them. `is_end`: the cluster is deleted, nothing follows."""

    first: int
    last: int
    text: str
    is_end: bool = False

    @property
    def lines(self) -> list[str]:
        """Take it apart: each event as it goes over the wire."""
        return self.text.split(SEPARATOR)

    @property
    def events(self) -> list[StoredEvent]:
        """Take it apart, and look at each."""
        return [event_of(line) for line in self.lines]

    @property
    def count(self) -> int:
        """How many events it has; one may stand for many numbers."""
        return self.text.count(SEPARATOR) + 1

    def up_to(self, count: int) -> "Run":
        """Leave out all but so many of the first events; at least one is kept."""
        kept = self.lines[:count]
        return Run(self.first, seq_of(kept[-1]), SEPARATOR.join(kept))

    def after(self, cursor: int) -> "Run":
        """Leave out what a client has that has everything up to `cursor`."""
        if cursor < self.first:
            return self
        lines = self.lines
        kept = lines[bisect_right(lines, cursor, key=seq_of) :]
        return Run(cursor + 1, self.last, SEPARATOR.join(kept), self.is_end)


def seq_of(line: str) -> int:
    """Read the number at the beginning of an event that this server has written."""
    return int(line[len('{"seq":') : line.index(",")])


def event_of(line: str) -> StoredEvent:
    """Read number and type of an event that this server has written."""
    seq, kind = head_of(line)
    return StoredEvent(int(seq), kind, line)


def head_of(line: str) -> tuple[str, str]:
    """Read number and type of an event that this server has written, as text."""
    comma = line.index(",")
    start = comma + len(',"type":"')
    return line[len('{"seq":') : comma], line[start : line.index('"', start)]


def is_whole(first: int, last: int, count: int) -> bool:
    """Tell whether so many events with these ends are all that there are between them."""
    return last - first + 1 == count


def runs_of(
    events: Iterable[tuple[int, str]], *, end: int | None = None, chars: int = RUN_CHARS
) -> Iterator[Run]:
    """Make runs of events that follow each other. `end`: the number of the last one there is."""
    first, last, size, lines = 0, 0, 0, list[str]()
    for seq, text in events:
        if lines and (seq != last + 1 or len(lines) == RUN_EVENTS or size + len(text) > chars):
            yield Run(first, last, SEPARATOR.join(lines))
            lines, size = [], 0
        if not lines:
            first = seq
        last, size = seq, size + len(text)
        lines.append(text)
    if lines:
        yield Run(first, last, SEPARATOR.join(lines), is_end=last == end)


def join(runs: Sequence[Run]) -> Run:
    """Make one of runs that follow each other."""
    if len(runs) == 1:
        return runs[0]
    text = SEPARATOR.join(run.text for run in runs)
    return Run(runs[0].first, runs[-1].last, text, runs[-1].is_end)
