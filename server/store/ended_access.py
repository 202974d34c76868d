"""Sessions, tokens, credentials and keys of requests that are kept for a while after their end."""

from datetime import timedelta
from typing import Final

from sqlalchemy import text

from server.store.database import WriteSession

_ENDED: Final = "least(expires_at, revoked_at)"
_OVER_SINCE: Final = {
    "sessions": _ENDED,
    "tokens": _ENDED,
    "credentials": _ENDED,
    # It has no end of its own: a request is not repeated after so long.
    "idempotency_keys": "created_at",
}
"""Table -> since when a row is of no use; NULL: it still is."""


async def remove(session: WriteSession, *, older_than: timedelta, limit: int) -> int:
    """Remove what ended so long ago, at most `limit` rows of each table; return how many."""
    removed = 0
    for table, since in _OVER_SINCE.items():
        statement = text(
            f"WITH old AS (SELECT ctid FROM {table} "  # noqa: S608
            f"WHERE {since} < now() - CAST(:kept AS interval) LIMIT :limit "
            f"FOR UPDATE SKIP LOCKED), gone AS (DELETE FROM {table} WHERE ctid IN "
            "(SELECT ctid FROM old) RETURNING 1) SELECT count(*) FROM gone"
        )
        values = {"kept": older_than, "limit": limit}
        removed += (await session.execute(statement, values)).scalar_one()
    return removed
