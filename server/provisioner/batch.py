"""Turns records of the spool into events. Pure: the state goes in and comes out as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pyk8s.wire.base import rfc3339
from pyk8s.wire.cluster import Step
from pyk8s.wire.facts import LogTruncated
from server.drivers.kind_output import StepTracker
from server.drivers.log_lines import LineCleaner
from server.provisioner.spool import Record
from server.store import log_chunks
from server.store.event_log import Draft
from server.store.log_chunks import Lines

MAX_EVENTS: Final = 2000
"""A batch is written as soon as it has so many events; a long line may add a few more."""

_STREAMS: Final[Mapping[str, Literal["stdout", "stderr"]]] = {
    "o": "stdout",
    "O": "stdout",
    "e": "stderr",
    "E": "stderr",
}
_NANOSECONDS: Final = 1e9


@dataclass(slots=True)
class Batch:
    """Events that are written together, and where the spool goes on after them."""

    offset: int
    drafts: list[Draft | Lines] = field(default_factory=list)
    count: int = 0
    """How many events it has."""
    began: int = field(init=False)
    """Where in the spool it begins."""
    _open: list[str] | None = None

    def __post_init__(self) -> None:
        self.began = self.offset

    @property
    def is_full(self) -> bool:
        """Whether it should be written now."""
        return self.count >= MAX_EVENTS

    def only_lines(self) -> list[str] | None:
        """Give the lines, if there is nothing else."""
        match self.drafts:
            case [Lines(tails=tails)]:
                return tails
            case _:
                return None

    def add_line(self, tail: str) -> None:
        """Add a line as `log_chunks.encode` has written it."""
        self.count += 1
        if self._open is None:
            self._open = []
            self.drafts.append(Lines(self._open))
        self._open.append(tail)

    def add_fact(self, draft: Draft) -> None:
        """Add what is no line."""
        self.count += 1
        self._open = None
        self.drafts.append(draft)


class Reading:
    """How far an attempt's output is understood."""

    def __init__(
        self, steps: Sequence[Step], state: Mapping[str, Any], *, log_cap_bytes: int
    ) -> None:
        self.steps = StepTracker(steps, state.get("steps"))
        self.ending: str | None = state.get("ending")
        """How the command ended, as the runner put it: `exit 0`."""
        self._cleaners = {
            "stdout": LineCleaner(state.get("stdout")),
            "stderr": LineCleaner(state.get("stderr")),
        }
        self._logged: int = state.get("logged", 0)
        self._is_truncated: bool = state.get("truncated", False)
        self._cap: int = min(log_cap_bytes, state.get("cap", log_cap_bytes))
        self._at_ns = -1
        self._at = datetime.fromtimestamp(0, UTC)
        self._at_text = ""

    def state(self) -> dict[str, Any]:
        """Give what `__init__` needs to go on."""
        return {
            "steps": self.steps.state(),
            "ending": self.ending,
            "stdout": self._cleaners["stdout"].state(),
            "stderr": self._cleaners["stderr"].state(),
            "cap": self._cap,
            "logged": self._logged,
            "truncated": self._is_truncated,
        }

    def add(self, batch: Batch, record: Record) -> None:
        """Put what a record means into a batch."""
        batch.offset = record.end
        stream = _STREAMS.get(record.kind)
        if record.at_ns != self._at_ns:
            self._at_ns = record.at_ns
            self._at = datetime.fromtimestamp(record.at_ns / _NANOSECONDS, UTC)
            self._at_text = rfc3339(self._at)
        if stream is not None:
            cleaned = self._cleaners[stream].clean(
                record.raw, goes_on=record.kind in "OE", innocent=record.innocent
            )
            for text, continues in cleaned:
                self._line(batch, stream, text, continues=continues)
        elif record.kind == "d":
            self._truncate(batch)
        elif record.kind == "x":
            self.ending = record.raw.decode("utf-8", "replace")
            if self.steps.step is not None:
                outcome: Literal["succeeded", "failed"] = (
                    "succeeded" if self.ending == "exit 0" else "failed"
                )
                ended = self.steps.end(self.steps.step, record.at_ns, outcome)
                for data in ended:
                    batch.add_fact(Draft(data, self._at))

    def _line(
        self, batch: Batch, stream: Literal["stdout", "stderr"], text: str, *, continues: bool
    ) -> None:
        size = len(text) if text.isascii() else len(text.encode())
        self._logged += size + 1
        if self._logged > self._cap:
            self._truncate(batch)
        else:
            batch.add_line(log_chunks.encode(self._at_text, stream, text, cont=continues))
        for data in self.steps.read(text, self._at_ns):
            batch.add_fact(Draft(data, self._at))

    def _truncate(self, batch: Batch) -> None:
        if not self._is_truncated:
            self._is_truncated = True
            self._logged = max(self._logged, self._cap + 1)  # nothing more, even if it would fit
            batch.add_fact(Draft(LogTruncated(cap_bytes=self._cap), self._at))
