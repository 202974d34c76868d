"""Gives up the lines of old logs. What happened to a cluster is kept for ever, its log is not."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from server.errors import LabError
from server.store import log_chunks
from server.store.database import Database
from server.telemetry import get_logger

TICK_SECONDS: Final = 600.0
BATCH: Final = 50
log = get_logger(__name__)


async def give_up(database: Database, *, older_than: timedelta) -> int:
    """Remove the logs of all clusters that were deleted so long ago, and tell how many.

    Raises:
        Unavailable: PostgreSQL does not answer.
    """
    total = 0
    while True:
        # A transaction for few clusters: a log may be large, and nobody is to wait for its removal.
        async with database.transaction() as session:
            removed = await log_chunks.give_up(session, older_than=older_than, limit=BATCH)
        total += removed
        if removed < BATCH:
            return total


async def run(
    database: Database, *, older_than: timedelta, tick: Callable[[], Awaitable[None]]
) -> None:
    """Remove at every tick until cancelled."""
    while True:
        try:
            removed = await give_up(database, older_than=older_than)
        except LabError as error:
            log.warning("retention_failed", code=error.code, detail=error.detail)
        else:
            if removed:
                log.info("logs_removed", clusters=removed)
        await tick()
