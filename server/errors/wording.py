"""What pydantic finds wrong, in words for people."""

from collections.abc import Mapping
from typing import Any

_LIMITS = {
    "extra_forbidden": "unknown field",
    "missing": "is missing",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} {unit}",
    "too_long": "at most {max_length} {unit}",
    "string_type": "has to be a text",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "float_parsing": "has to be a number",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "literal_error": "has to be {expected}",
    "json_invalid": "no valid JSON: {error}",
}
"""What pydantic's kinds of error say to people."""


def in_words(item: Mapping[str, Any]) -> str:
    """Say one of pydantic's errors in words that name what is wanted."""
    told = _LIMITS.get(item["type"])
    if told is not None:
        context = item.get("ctx", {})
        # A secret text is no "string" to pydantic, but a "value".
        unit = "characters" if context.get("field_type") == "Value" else "of them"
        return told.format_map({**context, "unit": unit})
    return str(item["msg"]).removeprefix("Value error, ")
