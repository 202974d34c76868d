"""Reads the worked transcript of docs/reference/protocol.md, and holds a real conversation to it.

Ids, times, versions and durations differ from run to run, and numbers of events may: an id or a
number of the transcript stands for one real one, the same wherever it comes again. How events are
distributed over frames is a matter of timing, and so are bookmarks in between.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
MORE = "..."
NUMBERED = {"seq", "after", "last_seq"}
VARIES = {"server_version", "duration_seconds"}
Json = Any


@dataclass(frozen=True, slots=True)
class Line:
    """`#` something happens around, `>` the client says, `<` the server says; None: more events."""

    who: Literal["#", ">", "<"]
    text: str

    @property
    def frame(self) -> Json:
        """The frame, where fields are left out with a mark for it; None for more events."""
        if self.text == MORE:
            return None
        return json.loads(re.sub(r",\s*\.\.\.\s*}", f', "{MORE}": true}}', self.text))


def read(block: str) -> list[Line]:
    """Split a transcript; what is indented continues the line above."""
    lines: list[Line] = []
    for text in block.splitlines():
        match text[:2]:
            case "# " | "> " | "< ":
                lines.append(Line(text[0], text[2:]))  # type: ignore[arg-type]
            case "  ":
                lines[-1] = Line(lines[-1].who, f"{lines[-1].text} {text.strip()}")
            case _:
                raise ValueError(f"what is this: {text!r}")
    return lines


@dataclass(slots=True)
class Names:
    """What ids and numbers of the transcript stand for."""

    ids: dict[str, str] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=lambda: {0: 0})

    def copy(self) -> "Names":
        """Give one for a try that may fail."""
        return Names(dict(self.ids), dict(self.numbers))

    def real(self, said: Json, key: str = "") -> Json:
        """Translate a frame of the client; what stands for nothing yet is said as it is."""
        match said:
            case dict():
                return {name: self.real(value, name) for name, value in said.items()}
            case str():
                return UUID.sub(lambda found: self.ids.get(found[0], found[0]), said)
            case int() if key in NUMBERED:
                return self.numbers.get(said, said)
            case _:
                return said

    def same(self, written: Json, real: Json, key: str = "") -> bool:
        """Tell whether something real is what is written, and learn what names stand for."""
        match written, real:
            case dict(), dict():
                wanted = written.keys() - {MORE}
                extra = real.keys() - wanted
                return (
                    wanted <= real.keys()
                    and (MORE in written or not extra)
                    and all(self.same(written[name], real[name], name) for name in written
                            if name != MORE)
                )  # fmt: skip
            case list(), list():
                return len(written) == len(real) and all(map(self.same, written, real))
            case (int() | float(), int() | float()) if key in NUMBERED:
                return self._same_number(int(written), int(real))
            case _ if key in VARIES:
                return type(written) is type(real)
            case str(), str():
                return self._same_text(written, real, key)
            case _:
                return bool(written == real)

    def _same_number(self, written: int, real: int) -> bool:
        before = self.numbers.get(written - 1)
        if written not in self.numbers and (before is None or real == before + 1):
            self.numbers[written] = real
        return self.numbers.get(written) == real

    def _same_text(self, written: str, real: str, key: str) -> bool:
        if INSTANT.fullmatch(written):
            return INSTANT.fullmatch(real) is not None
        if key == "detail":
            written = re.sub(
                r"\d+", lambda found: str(self.numbers.get(int(found[0]), found[0])), written
            )
        ids = UUID.findall(written), UUID.findall(real)
        if len(ids[0]) != len(ids[1]) or UUID.sub("", written) != UUID.sub("", real):
            return False
        return all(
            self.ids.setdefault(one, other) == other for one, other in zip(*ids, strict=True)
        )


def items(frame: Json) -> list[Json]:
    """Give the events of a frame one by one, or else the frame."""
    if frame["type"] != "events":
        return [frame]
    return [{"topic": frame["topic"], "event": event} for event in frame["events"]]
