"""The rows of one cluster, each written as JSON once, and what each viewer has not seen of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import anyio

from pyk8s.wire.resources import EventRow, Kind, Row

MOST_PENDING: Final = 2000
"""A viewer with more to hear than this is told everything anew."""

NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it is kept."""

    kind: Kind
    text: str
    seen: datetime
    """Of an event, when it was last seen: the oldest ones go first."""


@dataclass(eq=False, slots=True)
class Viewer:
    """Somebody who looks: what has changed since they last took it. Bounded."""

    pending: dict[str, Entry | None] = field(default_factory=dict)
    """By uid; None: it is gone."""
    anew: bool = True
    """They have to be told everything."""
    woken: anyio.Event = field(default_factory=anyio.Event)

    def change(self, uid: str, entry: Entry | None) -> None:
        """Note a change."""
        if not self.anew:
            self.pending[uid] = entry
            if len(self.pending) > MOST_PENDING:
                self.start_anew()
        self.woken.set()

    def start_anew(self) -> None:
        """Have them told everything."""
        self.anew = True
        self.pending.clear()
        self.woken.set()

    def take(self) -> dict[str, Entry | None]:
        """Give what has changed since the last time."""
        taken, self.pending = self.pending, {}
        return taken


class Table:
    """All rows of one cluster, and how many more there would be of each kind."""

    def __init__(self, caps: Mapping[Kind, int]) -> None:
        self._caps = caps
        self._rows: dict[Kind, dict[str, Entry]] = {kind: {} for kind in caps}
        self._hidden = dict.fromkeys(caps, 0)
        self.viewers: set[Viewer] = set()

    @property
    def more(self) -> dict[Kind, int]:
        """How many are left out, where some are."""
        return {kind: count for kind, count in self._hidden.items() if count}

    @property
    def entries(self) -> list[Entry]:
        """All rows."""
        return [entry for rows in self._rows.values() for entry in rows.values()]

    def could_show_more(self, kind: Kind) -> bool:
        """Tell whether a list would bring rows that were left out and have room now."""
        return self._hidden[kind] > 0 and len(self._rows[kind]) < self._caps[kind]

    def begin(self, kind: Kind) -> "Listing":
        """Begin to take a list of everything of one kind."""
        return Listing(self, kind)

    def put(self, kind: Kind, row: Row, *, is_new: bool) -> None:
        """Take a row. `is_new`: it has just come to be, so it was not counted before."""
        rows, entry = self._rows[kind], _entry(kind, row)
        before = rows.get(row.uid)
        if before is None:
            if len(rows) >= self._caps[kind] and not self._make_room(kind, entry):
                self._hidden[kind] += is_new
                return
            if not is_new:  # it was among those that are left out
                self._hidden[kind] = max(0, self._hidden[kind] - 1)
        elif before.text == entry.text:
            return
        rows[row.uid] = entry
        self._tell(row.uid, entry)

    def remove(self, kind: Kind, uid: str) -> None:
        """Drop a row that is gone."""
        if self._rows[kind].pop(uid, None) is not None:
            self._tell(uid, None)
        else:
            self._hidden[kind] = max(0, self._hidden[kind] - 1)

    def replace(self, kind: Kind, rows: dict[str, Entry], hidden: int) -> None:
        """Have exactly these rows of a kind."""
        before = self._rows[kind]
        self._rows[kind] = rows
        self._hidden[kind] = hidden
        for uid in before.keys() - rows.keys():
            self._tell(uid, None)
        for uid, entry in rows.items():
            if uid not in before or before[uid].text != entry.text:
                self._tell(uid, entry)

    def start_anew(self) -> None:
        """Have every viewer told everything."""
        for viewer in self.viewers:
            viewer.start_anew()

    def _make_room(self, kind: Kind, entry: Entry) -> bool:
        """Of events, the last ones are kept; of anything else, the first ones."""
        if kind != "Event":
            return False
        rows = self._rows[kind]
        oldest = min(rows, key=lambda uid: rows[uid].seen)
        if rows[oldest].seen >= entry.seen:
            return False
        del rows[oldest]
        self._hidden[kind] += 1
        self._tell(oldest, None)
        return True

    def _tell(self, uid: str, entry: Entry | None) -> None:
        for viewer in self.viewers:
            viewer.change(uid, entry)


class Listing:
    """Everything of one kind, page by page; it counts when it is whole."""

    def __init__(self, table: Table, kind: Kind) -> None:
        self._table = table
        self._kind = kind
        self._cap = table._caps[kind]
        self._rows: dict[str, Entry] = {}
        self._count = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Take a page."""
        for row in rows:
            self._count += 1
            if self._kind == "Event" or len(self._rows) < self._cap:
                self._rows[row.uid] = _entry(self._kind, row)
        if len(self._rows) > self._cap:
            newest = sorted(self._rows.items(), key=lambda item: item[1].seen, reverse=True)
            self._rows = dict(newest[: self._cap])

    def end(self) -> None:
        """Put it into the table."""
        self._table.replace(self._kind, self._rows, max(0, self._count - len(self._rows)))


def _entry(kind: Kind, row: Row) -> Entry:
    seen = row.last_seen if isinstance(row, EventRow) else None
    return Entry(kind, row.model_dump_json(), seen or NEVER)
