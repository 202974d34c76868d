"""Brings the schema up to date when the server starts; several servers at once wait in line."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, pool, text

from server.errors import StartFailed
from server.store.connecting import create_engine

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_LOCK = 0x70796B39  # any constant of our own for pg_advisory_lock


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    lock(connection)
    upgrade_open(connection)


def lock(connection: Connection) -> None:
    """Wait until nobody else migrates; held to the end of the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def upgrade_open(connection: Connection, revision: str = "head") -> None:
    """Migrate to a revision within an open transaction."""
    command.upgrade(_config(connection), revision)


def knows(revision: str) -> bool:
    """Tell whether this server has the migration."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = ScriptDirectory.from_config(config).walk_revisions()
    return revision in {each.revision for each in known}


def _pending(connection: Connection) -> str | None:
    head = ScriptDirectory.from_config(_config(connection)).get_current_head()
    current = MigrationContext.configure(connection).get_current_revision()
    return None if current == head else f"the schema is at {current}, this server needs {head}"


async def upgrade(url: str) -> None:
    """Apply the pending migrations.

    Raises:
        StartFailed: the database is of a newer server than this one.
    """
    engine = create_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    except Exception as error:
        if "Can't locate revision" in str(error):
            raise StartFailed(
                "the database was written by a newer server than this one",
                fix="run the newer version, or start afresh with ./clean-restart.sh",
            ) from error
        raise
    finally:
        await engine.dispose()


async def pending(url: str) -> str | None:
    """Tell in words what is behind, or None when the schema is what this server needs."""
    engine = create_engine(url, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_pending)
    finally:
        await engine.dispose()
