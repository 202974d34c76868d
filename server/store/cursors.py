"""Cursors of lists that are ordered by the instant at which each item was made, newest first."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from pyk8s.wire.service import FieldError
from server.errors import ValidationFailed

MAX_CURSOR_CHARS = 200
CURSOR_PATTERN = r"^[A-Za-z0-9_-]+={0,2}$"
"""The alphabet of `encode`."""

Place = tuple[datetime, UUID]
"""When the last item of a page was made, and its id."""


class Listed(Protocol):
    """An item of a list that has pages."""

    @property
    def created_at(self) -> datetime:
        """When it was made."""

    @property
    def id(self) -> UUID:
        """Its id, which orders items of one instant."""


Item = TypeVar("Item", bound=Listed)


def page_of(items: Sequence[Item], limit: int) -> tuple[list[Item], str | None]:
    """Return the first `limit` items, and the cursor of the next page where there are more.

    `items`: one more than `limit` was asked for, to learn whether there is a next page.
    """
    page = [*items[:limit]]
    return page, encode(page[-1].created_at, page[-1].id) if len(items) > limit else None


def encode(at: datetime, item_id: UUID) -> str:
    """Write where a page has ended."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {item_id}".encode()).decode()


def decode(cursor: str) -> Place:
    """Read where a page is to begin.

    Raises:
        ValidationFailed: the cursor is none of ours.
    """
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
        at, item_id = text.split(" ")
        place = datetime.fromisoformat(at), UUID(item_id)
        # An instant in UTC, as they are written here. With the offset of a forged one it may lie
        # outside of all years that Python knows.
        if place[0].tzinfo is not UTC:
            raise ValueError("not in UTC")
    except (ValueError, binascii.Error) as error:
        raise ValidationFailed(
            "the cursor is not one that this server gave",
            fix="start again without it",
            errors=[FieldError(field="cursor", message="unknown cursor")],
        ) from error
    return place
