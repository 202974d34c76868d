"""Warns of leases that end soon and ends those that are over. The database's clock decides."""

from collections.abc import Awaitable, Callable
from typing import Final

from server.commands.clusters import delete_cluster
from server.commands.lease import warn_of_ends
from server.errors import LabError
from server.store import clusters
from server.store.database import Database
from server.telemetry import get_logger

TICK_SECONDS: Final = 5.0
WARNINGS_SECONDS: Final = (600, 120)
BATCH: Final = 50
log = get_logger(__name__)


async def reap(database: Database) -> int:
    """Ask for the end of every cluster whose lease is over, and tell how many there were."""
    async with database.reading() as session:
        over = await clusters.expired(session, BATCH)
    for cluster_id, owner_id in over:
        await delete_cluster(
            database, owner_id=owner_id, id_or_name=cluster_id, reason="LeaseExpired"
        )
        log.info("lease_expired", cluster_id=str(cluster_id))
    return len(over)


async def _is_there_any(database: Database) -> bool:
    """Look with one query: mostly there is nothing to do, and the rest takes transactions."""
    async with database.reading() as session:
        return await clusters.has_ends_within(session, max(WARNINGS_SECONDS))


async def run(database: Database, *, tick: Callable[[], Awaitable[None]]) -> None:
    """Reap at every tick until cancelled."""
    while True:
        try:
            if await _is_there_any(database):
                await reap(database)
                for seconds in WARNINGS_SECONDS:
                    await warn_of_ends(database, seconds=seconds)
        except LabError as error:
            log.warning("reaping_failed", code=error.code, detail=error.detail)
        await tick()
