"""The database of a server: another's or its own, and up to date."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import anyio.to_thread

from server.config import Settings
from server.errors import LabError, StartFailed
from server.secrets import load_or_make_key
from server.store import migrate
from server.store.database import Database, Outage
from server.store.embedded import EmbeddedPostgres
from server.store.embedded_watch import Watch


def prepare_data_dir(path: Path) -> None:
    """Make the data directory, closed to others.

    Raises:
        StartFailed: it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartFailed(
            f"the data directory {path} cannot be written: {error.strerror}",
            fix="choose another one with PYK8S_DATA_DIR",
        ) from error


def key_of(settings: Settings) -> bytes:
    """Give the key for what is stored encrypted."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    return load_or_make_key(settings.data_dir / "secret.key")


def database_dir_of(settings: Settings) -> Path | None:
    """Return where the embedded PostgreSQL keeps its data; None: another PostgreSQL is used."""
    return settings.data_dir / "postgres" if settings.database_url is None else None


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[Database]:
    """Connect to PostgreSQL, starting our own when no other is named, and migrate it.

    Our own is started again whenever it ends, until the block does.
    """
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        database = _database(settings, url, lambda: None)
        async with _connected(database, settings):
            yield database
        return
    embedded = EmbeddedPostgres(settings.data_dir)
    url = await embedded.start()
    watch = Watch(embedded)
    database = _database(settings, url, watch.outage)
    try:
        async with _connected(database, settings), _watched(watch):
            yield database
    finally:
        with anyio.CancelScope(shield=True):
            await embedded.stop()


def _database(settings: Settings, url: str, outage: Callable[[], Outage | None]) -> Database:
    return Database(
        url,
        pool_size=settings.database_pool_size,
        most_waiting=settings.database_queue,
        outage=outage,
    )


@asynccontextmanager
async def _connected(database: Database, settings: Settings) -> AsyncIterator[Database]:
    try:
        await bring_up_to_date(database, apply=settings.migrate == "auto")
        yield database
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()


@asynccontextmanager
async def _watched(watch: Watch) -> AsyncIterator[None]:
    """Watch in a task of its own: a task group would wrap what the block raises."""
    watching = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def bring_up_to_date(database: Database, *, apply: bool) -> None:
    """Apply pending migrations, or refuse to start when that is not wanted.

    Raises:
        StartFailed: PostgreSQL does not answer, or the schema is not what this server needs.
    """
    try:
        await database.ping()
        if apply:
            await migrate.upgrade(database.url)
        behind = await migrate.pending(database.url)
    except StartFailed:
        raise
    except (LabError, OSError) as error:
        told = error.detail if isinstance(error, LabError) else f"PostgreSQL: {error}"
        why = f": {error.__cause__}" if isinstance(error.__cause__, OSError) else ""
        raise StartFailed(
            told + why,
            fix="start it, or correct PYK8S_DATABASE_URL; without that variable the server "
            "brings a PostgreSQL of its own",
        ) from error
    if behind is not None:
        raise StartFailed(behind, fix="run `alembic upgrade head`, or set PYK8S_MIGRATE=auto")
