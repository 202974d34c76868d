"""Durations, sizes and other words, for people: `90 min`, `4.2 MiB`, text without surprises."""

import json
import re
from datetime import UTC, datetime

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+)([smhd]?)")
_SGR = re.compile(r"\x1b\[[0-9;]*m")
MINUTE, HOUR, DAY = 60, 3600, 86400
TWO_DIGITS, FOUR_DIGITS = 10, 1000


def parse_duration(text: str) -> int:
    """Read `30m`, `2h`, `1h30m`, `1d` or plain seconds as seconds.

    Raises:
        ValueError: it is none of these.
    """
    cleaned = text.strip().lower().replace(" ", "")
    parts = _PART.findall(cleaned)
    if not parts or "".join(number + unit for number, unit in parts) != cleaned:
        raise ValueError(f"{text!r} is not a duration. Write it like 30m, 2h, 1h30m or 1d.")
    if len(parts) > 1 and any(not unit for _, unit in parts):
        raise ValueError(f"{text!r} has a number without a unit. Write it like 1h30m.")
    return sum(int(number) * _UNITS[unit or "s"] for number, unit in parts)


def short(seconds: float) -> str:
    """Write a duration in one or two units, for a column: `42s`, `12m`, `1h30m`, `3d`."""
    whole = max(0, round(seconds))
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m"
    if whole < DAY:
        minutes = whole % HOUR // MINUTE
        return f"{whole // HOUR}h{minutes}m" if minutes else f"{whole // HOUR}h"
    hours = whole % DAY // HOUR
    return f"{whole // DAY}d{hours}h" if hours else f"{whole // DAY}d"


def spoken(seconds: float) -> str:
    """Write a duration for a sentence: `45 s`, `60 min`, `2 h 30 min`, `3 days`."""
    whole = max(0, round(seconds))
    if whole < 2 * MINUTE:
        return f"{whole} s"
    if whole < 2 * HOUR:
        return f"{round(whole / MINUTE)} min"
    if whole < 2 * DAY:
        hours, minutes = divmod(round(whole / MINUTE), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(whole / DAY)} days"


def size(count: int) -> str:
    """Write a number of bytes, for people: `512 B`, `4.2 MiB`, `310 MiB`."""
    shown, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if shown < FOUR_DIGITS:
            break
        shown, unit = shown / 1024, larger
    return f"{shown:.1f} {unit}" if shown < TWO_DIGITS and unit != "B" else f"{shown:.0f} {unit}"


def until(instant: datetime, now: datetime | None = None) -> float:
    """Give the seconds from now to `instant`; negative when it is past."""
    return (instant - (now or datetime.now(UTC))).total_seconds()


def plain(text: str) -> str:
    """Take out what could move the cursor or change the terminal, colours included."""
    return "".join(c for c in _SGR.sub("", text) if c.isprintable() or c == "\t")


def shown(text: str) -> str:
    """Write what could move the cursor or change the terminal as JSON's escape of it."""
    return "".join(c if c.isprintable() or c in "\n\t" else json.dumps(c)[1:-1] for c in text)


def coloured(text: str) -> str:
    """Take out the same, but leave colours; they are closed at the end."""
    pieces = []
    position = 0
    for match in _SGR.finditer(text):
        pieces += [plain(text[position : match.start()]), match.group()]
        position = match.end()
    pieces.append(plain(text[position:]))
    return "".join(pieces) + ("\x1b[0m" if position else "")
