"""Removes what is kept for a time only: lines of old logs, and what gave access once.

What happened to a cluster is kept for ever.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from server.errors import LabError
from server.store import ended_access, log_chunks
from server.store.database import Database, WriteSession
from server.telemetry import get_logger

TICK_SECONDS: Final = 600.0
BATCH: Final = 50
ROWS: Final = 1000
ACCESS_KEPT: Final = timedelta(days=30)
"""A session, token or credential is kept so long after its end: whoever looks into a break-in wants
to know when it was used last."""
log = get_logger(__name__)


async def give_up(database: Database, *, older_than: timedelta) -> int:
    """Remove the logs of all clusters that were deleted so long ago, and tell how many.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    remove = partial(log_chunks.give_up, older_than=older_than, limit=BATCH)
    return await _in_batches(database, remove, BATCH)


async def remove_ended(database: Database, *, older_than: timedelta = ACCESS_KEPT) -> int:
    """Remove sessions, tokens, credentials and keys that ended so long ago, and tell how many.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    remove = partial(ended_access.remove, older_than=older_than, limit=ROWS)
    return await _in_batches(database, remove, ROWS)


async def _in_batches(
    database: Database, remove: Callable[[WriteSession], Awaitable[int]], limit: int
) -> int:
    """Remove in transactions of at most `limit`, and return how many were removed in all.

    A transaction is short: a log may be large, and nobody is to wait for its removal.
    """
    total = 0
    while True:
        async with database.transaction() as session:
            removed = await remove(session)
        total += removed
        if removed < limit:
            return total


async def run(
    database: Database, *, older_than: timedelta | None, tick: Callable[[], Awaitable[None]]
) -> None:
    """Remove at every tick until cancelled. `older_than` None: logs are kept for ever."""
    while True:
        try:
            ended = await remove_ended(database)
            removed = 0 if older_than is None else await give_up(database, older_than=older_than)
        except LabError as error:
            log.warning("retention_failed", code=error.code, detail=error.detail)
        else:
            if removed:
                log.info("logs_removed", clusters=removed)
            if ended:
                log.info("ended_access_removed", rows=ended)
        await tick()
