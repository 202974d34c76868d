"""Pauses clusters that nobody uses, and stops those that rest for long.

The database's clock decides.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from server.commands.resting import pause_cluster, stop_cluster
from server.errors import LabError
from server.store import use
from server.store.database import Database
from server.telemetry import get_logger

TICK_SECONDS: Final = 5.0
BATCH: Final = 50

log = get_logger(__name__)


async def pause_idle(database: Database, *, seconds: int) -> int:
    """Ask for the pause of every cluster that was left alone for so long; tell how many."""
    async with database.reading() as session:
        found = await use.left_alone(session, for_seconds=seconds, limit=BATCH)
    for cluster_id, owner_id in found:
        await pause_cluster(database, owner_id=owner_id, id_or_name=cluster_id, reason="Idle")
        log.info("idle", cluster_id=str(cluster_id))
    return len(found)


async def stop_asleep(database: Database, *, seconds: int) -> int:
    """Ask that every paused cluster that was used so long ago is stopped; tell how many."""
    async with database.reading() as session:
        found = await use.asleep(session, for_seconds=seconds, limit=BATCH)
    for cluster_id, owner_id in found:
        await stop_cluster(database, owner_id=owner_id, id_or_name=cluster_id)
        log.info("asleep", cluster_id=str(cluster_id))
    return len(found)


async def run(
    database: Database,
    *,
    pause_seconds: int,
    stop_seconds: int,
    tick: Callable[[], Awaitable[None]],
) -> None:
    """Look at every tick until cancelled. 0 seconds: never."""
    while True:
        try:
            if pause_seconds:
                await pause_idle(database, seconds=pause_seconds)
            if stop_seconds:
                await stop_asleep(database, seconds=stop_seconds)
        except LabError as error:
            log.warning("idle_not_looked_for", code=error.code, detail=error.detail)
        await tick()
