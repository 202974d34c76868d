"""Runs the migrations: by `alembic` on the command line, and by the server when it starts."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection, pool

from server.store.access_tables import AccessRow
from server.store.connecting import create_engine
from server.store.event_tables import EventRow

TABLES = {row.metadata for row in (AccessRow, EventRow)}
"""One: each module adds its tables to it when it is imported. What is left out would be dropped by
the next migration that is written by comparing."""

# A migration that waits for a lock makes everybody else wait behind it: rather fail and try again.
LOCK_TIMEOUT = "2s"


def run(connection: Connection) -> None:
    """Apply or compare, on an open connection."""
    context.configure(connection=connection, target_metadata=list(TABLES), compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def run_on(url: str) -> None:
    """Connect and run."""
    engine = create_engine(
        url,
        poolclass=pool.NullPool,
        connect_args={"server_settings": {"lock_timeout": LOCK_TIMEOUT}},
    )
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = os.environ.get("PYK8S_DATABASE_URL")
    if not url:
        raise SystemExit("set PYK8S_DATABASE_URL to the database that should be migrated")
    asyncio.run(run_on(url))
