"""Keeps as many prebuilt clusters as there should be. The database's clock decides."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from server.commands.pool import look_after
from server.errors import LabError
from server.store.database import Database
from server.telemetry import get_logger

TICK_SECONDS: Final = 2.0
"""The place of one that was taken is to be filled soon."""

REST_SECONDS: Final = 5.0
"""The same without a pool: an administrator may want one."""

log = get_logger(__name__)


async def run(
    database: Database,
    *,
    sizes: Mapping[str, int],
    max_age_seconds: int,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Look after the pool again and again until cancelled."""
    told: Mapping[str, str | None] = {}
    while True:
        pause = TICK_SECONDS
        try:
            plans = await look_after(database, sizes, max_age_seconds=max_age_seconds)
            pause = TICK_SECONDS if plans else REST_SECONDS
            waits = {template: plan.waits_for for template, plan in plans.items()}
            if waits != told:
                told = waits
                log.info("pool", **{name: why or "as it should be" for name, why in waits.items()})
        except LabError as error:
            log.warning("pool_not_looked_after", code=error.code, detail=error.detail)
        await sleep(pause)
