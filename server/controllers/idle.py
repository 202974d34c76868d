"""Pauses clusters that nobody uses. The database's clock decides."""

from collections.abc import Awaitable, Callable
from typing import Final

from server.commands.resting import pause_cluster
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


async def run(database: Database, *, seconds: int, tick: Callable[[], Awaitable[None]]) -> None:
    """Look at every tick until cancelled."""
    while True:
        try:
            await pause_idle(database, seconds=seconds)
        except LabError as error:
            log.warning("idle_not_looked_for", code=error.code, detail=error.detail)
        await tick()
