"""YAML as kubectl writes it, for what is put into a file that is somebody else's."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./=+-]*")
_NOT_A_STRING = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def block(entry: Mapping[str, Any], column: int) -> str:
    """Write an entry of a list, with its `-` in that column."""
    lines = list(_lines([entry]))
    return "".join(f"{' ' * column}{line}\n" for line in lines)


def _lines(value: Any) -> Iterator[str]:
    """Write a value as kubectl does: blocks, two spaces, no indent for lists."""
    if isinstance(value, list):
        for item in value:
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
        return
    if not isinstance(value, Mapping):
        yield scalar(value)
        return
    for key, part in value.items():
        if isinstance(part, list) and part:
            yield f"{key}:"
            yield from _lines(part)
        elif isinstance(part, Mapping) and part:
            yield f"{key}:"
            yield from (f"  {line}" for line in _lines(part))
        else:
            yield f"{key}: {scalar(part)}"


def scalar(value: Any) -> str:
    """Write a value that has no parts."""
    # JSON is YAML; a word that YAML 1.1 or 1.2 could read as something else is quoted.
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_A_STRING:
        return value
    return json.dumps(value, ensure_ascii=False)
