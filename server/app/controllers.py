"""The loops of a process that plays the controllers."""

from datetime import timedelta
from functools import partial

import anyio
import anyio.abc

from server.app.supervision import Supervisor
from server.config import Settings
from server.controllers import idle, pool, reaper, retention
from server.store.database import Database


def start_controllers(
    tasks: anyio.abc.TaskGroup, supervisor: Supervisor, settings: Settings, database: Database
) -> None:
    """Start those that the settings ask for."""
    tick = partial(anyio.sleep, reaper.TICK_SECONDS)
    tasks.start_soon(supervisor.run, "reaper", partial(reaper.run, database, tick=tick))
    tasks.start_soon(
        supervisor.run,
        "pool",
        partial(
            pool.run,
            database,
            sizes=settings.pool_sizes,
            max_age_seconds=settings.pool_max_age_seconds,
            sleep=anyio.sleep,
        ),
    )
    tasks.start_soon(
        supervisor.run,
        "idle",
        partial(
            idle.run,
            database,
            pause_seconds=settings.idle_pause_seconds,
            stop_seconds=settings.idle_stop_seconds,
            tick=partial(anyio.sleep, idle.TICK_SECONDS),
        ),
    )
    days = settings.log_retention_days
    tasks.start_soon(
        supervisor.run,
        "retention",
        partial(
            retention.run,
            database,
            older_than=timedelta(days=days) if days else None,
            tick=partial(anyio.sleep, retention.TICK_SECONDS),
        ),
    )
