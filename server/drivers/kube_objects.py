"""Careful reading of objects that come from a cluster: its owner decides what is in them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

Object = Mapping[str, Any]

NAME_CHARS: Final = 253
"""Kubernetes' names are no longer."""
TEXT_CHARS: Final = 1024
"""So much of a message is kept; Kubernetes' own limit for an event's."""
LISTED: Final = 30
"""So many containers, ports or addresses of one object are kept."""

NOTHING: Final[Object] = {}


def part(given: Object, *path: str) -> Object:
    """Give an object inside another one; an empty one where there is none."""
    found: Any = given
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else NOTHING


def parts(given: Object, name: str) -> list[Object]:
    """Give the objects of a list; none where there is no list."""
    found = given.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def texts(given: Object, name: str) -> list[str]:
    """Give the texts of a list."""
    found = given.get(name)
    listed = found[:LISTED] if isinstance(found, list) else []
    return [each[:NAME_CHARS] for each in listed if isinstance(each, str)]


def text(given: Object, name: str, chars: int = NAME_CHARS) -> str:
    """Give a text; an empty one where there is none."""
    found = given.get(name)
    return found[:chars] if isinstance(found, str) else ""


def number(given: Object, name: str, default: int = 0) -> int:
    """Give a whole number that JavaScript can hold as well."""
    found = given.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        return default
    return max(-(2**31), min(found, 2**31))


def instant(given: Object, name: str) -> datetime | None:
    """Give a time; None where there is none, or none that can be read."""
    found = given.get(name)
    if not isinstance(found, str):
        return None
    try:
        read = datetime.fromisoformat(found)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def conditions(given: Object) -> Iterator[tuple[str, str]]:
    """Give type and status of each condition."""
    for each in parts(part(given, "status"), "conditions"):
        yield text(each, "type"), text(each, "status")


def condition(given: Object, wanted: str) -> str:
    """Give the status of one condition; an empty text where there is none."""
    return next((status for kind, status in conditions(given) if kind == wanted), "")
