"""Make a backup, whether the server runs or not."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO

import anyio

from pyk8s.wire.version import VERSION as SERVER_VERSION
from server.backup.container import (
    DATA,
    DumpedTable,
    Manifest,
    Parts,
    Refused,
    Writer,
    is_allowed,
    writing,
)
from server.backup.files import kept_in
from server.config import Settings
from server.errors import StartFailed
from server.store import dump
from server.store.data_lock import data_dir_locked
from server.store.embedded import EmbeddedPostgres

KEY_FILE = "secret.key"


async def take(settings: Settings, file: IO[bytes]) -> Manifest:
    """Write everything of a server into a file.

    The database is read as of one commit. The files are read after it: they say at least what the
    database says.

    Raises:
        Refused: the key of the server is nowhere.
        StartFailed: PostgreSQL does not answer, or the database is not a server's.
    """
    key = key_of(settings)
    async with _database_url(settings) as url:
        with writing(file) as writer:
            async with dump.snapshot(url) as snapshot:
                tables = [await _dumped(snapshot, table, writer) for table in snapshot.tables]
                revision = snapshot.revision
            for name, path in kept_in(settings.data_dir):
                if name == KEY_FILE and settings.secret_key is not None:
                    continue
                if not is_allowed(f"{DATA}/{name}"):
                    raise Refused(
                        f"{str(path)!r} cannot be in a backup: its name is too long, or has "
                        "characters that cannot be printed",
                        "remove the file, or rename it: no server makes such a name",
                    )
                with suppress(FileNotFoundError):  # what a create or delete has just removed
                    writer.add_file(f"{DATA}/{name}", path)
            manifest = Manifest(
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                server_version=SERVER_VERSION,
                revision=revision,
                tables=tuple(tables),
                key_fingerprint=fingerprint(key),
                has_key=settings.secret_key is None,
            )
            writer.finish(manifest)
    return manifest


def key_of(settings: Settings) -> bytes:
    """Return the key that seals kubeconfigs. Never makes one: that would be another.

    Raises:
        Refused: there is none.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    path = settings.data_dir / KEY_FILE
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise Refused(
            f"the key of the server cannot be read: {path}: {error.strerror}",
            "name the server's data directory (PYK8S_DATA_DIR), and run this as the user that the "
            "server runs as",
        ) from error


def fingerprint(key: bytes) -> str:
    """Return what recognises a key and does not tell it."""
    return sha256(key).hexdigest()


@asynccontextmanager
async def _database_url(settings: Settings) -> AsyncIterator[str]:
    """Yield the address of the database: the server's, or one that is started for the backup."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    if not settings.data_dir.is_dir():
        raise Refused(
            f"there is no data directory {settings.data_dir}",
            "name the server's with PYK8S_DATA_DIR",
        )
    with ExitStack() as lock:
        try:
            lock.enter_context(data_dir_locked(settings.data_dir, port=0))
        except StartFailed:
            running = await EmbeddedPostgres(settings.data_dir).running_address()
            if running is None:
                raise
            yield running
            return
        async with own_database(settings.data_dir, must_exist=True) as url:
            yield url


@asynccontextmanager
async def own_database(data_dir: Path, *, must_exist: bool) -> AsyncIterator[str]:
    """Run the embedded PostgreSQL of a data directory that the caller has locked."""
    embedded = EmbeddedPostgres(data_dir)
    url = await embedded.start(must_exist=must_exist)
    try:
        yield url
    finally:
        with anyio.CancelScope(shield=True):
            await embedded.stop()


async def _dumped(snapshot: dump.Snapshot, table: dump.Table, writer: Writer) -> DumpedTable:
    parts = Parts(writer, table.name)
    rows = await snapshot.copy(table, parts.write)
    parts.flush()
    return DumpedTable(name=table.name, columns=table.columns, rows=rows)
