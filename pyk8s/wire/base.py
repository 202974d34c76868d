"""Base classes of the models of the wire, and the check that every text from outside passes."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

MAX_TEXT_CHARS: Final = 1024
"""The longest text in a request. Every field has its own, lower limit; this one holds for all."""

MAX_INTEGER: Final = 2**53 - 1
"""The largest number that JSON carries exactly to every client (RFC 8259, 6)."""

_CONTROL: Final = r"\x00-\x1f\x7f-\x9f"
_UNPRINTABLE: Final = re.compile(rf"[{_CONTROL}\ud800-\udfff]")

TEXT_PATTERN: Final = rf"^[^{_CONTROL}]*$"
"""What `check_text` takes, for descriptions: a lone surrogate is no text of theirs."""

VISIBLE_TEXT_PATTERN: Final = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
"""The same where spaces around are taken off, and something has to be left."""


def check_text(text: str, *, max_chars: int = MAX_TEXT_CHARS) -> str:
    """Return a text from outside if it can be stored and shown.

    PostgreSQL stores no NUL, UTF-8 encodes no lone surrogate, and a control character in a name
    changes how a terminal or a log shows it.

    Raises:
        ValueError: the text is too long, or has a control character or a lone surrogate.
    """
    if len(text) > max_chars:
        raise ValueError(f"at most {max_chars} characters")
    found = _UNPRINTABLE.search(text)
    if found is not None:
        raise ValueError(
            f"has the control character U+{ord(found[0]):04X} at position {found.start()}; "
            "leave it out"
        )
    return text


def _check_value(value: object) -> None:
    """Check each text and number of a field. A password is a `SecretStr`, which is only hashed."""
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise ValueError(f"has to be between -{MAX_INTEGER} and {MAX_INTEGER}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_value(key)
            _check_value(item)
    elif isinstance(value, list):
        for item in value:
            _check_value(item)


def _write_limits(schema: JsonSchemaValue) -> None:
    """Write into the description of a value what `_check_value` checks."""
    if schema.get("type") == "string" and not {"enum", "const", "format"} & schema.keys():
        schema.setdefault("maxLength", MAX_TEXT_CHARS)
        schema.setdefault("pattern", TEXT_PATTERN)
    elif schema.get("type") == "integer":
        schema.setdefault("maximum", MAX_INTEGER)
        schema.setdefault("minimum", -MAX_INTEGER)
    for part in (*schema.get("anyOf", ()), schema.get("items")):
        if isinstance(part, dict):
            _write_limits(part)


def rfc3339(value: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with microseconds and a final Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Timestamp = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant, RFC 3339 in UTC on the wire."""


class Answer(BaseModel):
    """What the server says. Unknown fields are ignored: an old client meets a new server."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe what is sent: the field that tells the members of a union apart always is.

        It has a default, for which pydantic takes it as one that may be missing. Generators refuse
        such a discriminator, or make it optional.
        """
        described = handler(schema)
        if handler.mode == "serialization":
            body = handler.resolve_ref_schema(described)
            fields = body.get("properties", {})
            required = [name for name in fields if name in body.get("required", ())]
            constant = {name for name, field in fields.items() if "const" in field}
            if constant - {*required}:
                body["required"] = [name for name in fields if name in {*required, *constant}]
        return described


class Ask(BaseModel):
    """What a client says. Unknown fields are an error, so that a typing mistake is never silent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe with each field what `_storable` checks of it, where the field says no less."""
        described = handler(schema)
        for field in handler.resolve_ref_schema(described).get("properties", {}).values():
            _write_limits(field)
        return described

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, given: Any) -> Any:
        """Take `1.0` for 1, as JSON Schema does: JSON has one kind of number."""
        if not isinstance(given, dict):
            return given
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in given.items()
        }

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        _check_value(value)
        return value
