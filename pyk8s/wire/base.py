"""Base classes of the models of the wire."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer


def rfc3339(value: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with microseconds and a final Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""An instant, RFC 3339 in UTC on the wire."""


class Answer(BaseModel):
    """What the server says. Unknown fields are ignored: an old client meets a new server."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Ask(BaseModel):
    """What a client says. Unknown fields are an error, so that a typing mistake is never silent."""

    model_config = ConfigDict(extra="forbid", frozen=True)
