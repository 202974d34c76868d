"""Restore a backup into an empty server: all of it, or nothing."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import IO, Final

from server.app.database import prepare_data_dir
from server.backup.container import (
    DATA,
    DATABASE,
    MANIFEST,
    DumpedTable,
    Entry,
    Manifest,
    Refused,
    entries,
    verified,
)
from server.backup.files import Stage, check_empty
from server.backup.taking import fingerprint, own_database
from server.config import Settings
from server.store import dump, migrate
from server.store.data_lock import data_dir_locked

READ_BYTES: Final = 1024 * 1024


async def restore(
    settings: Settings, file: IO[bytes], *, replace: bool = False, keep_epoch: bool = False
) -> Manifest:
    """Fill the database and the data directory that the settings name.

    The file is read twice: first all of it is checked, then it is loaded in one transaction. Files
    go to their place after its commit.

    `keep_epoch`: clients may go on reading event logs where they were. Only true if nothing was
    written after the backup.

    Raises:
        Refused: the file, or what is there, does not allow it. Nothing was changed.
        StartFailed: a server runs, PostgreSQL does not answer, or its database is not empty.
    """
    manifest = verified(file)
    _check_fits(manifest, settings)
    prepare_data_dir(settings.data_dir)
    with data_dir_locked(settings.data_dir, port=0):
        if not replace:
            check_empty(settings.data_dir)
        async with _database_url(settings) as url:
            with Stage(settings.data_dir) as stage:
                async with dump.loading(
                    url, revision=manifest.revision, replace=replace
                ) as loading:
                    await _load(manifest, _Cursor(entries(file)), loading, stage)
                    await loading.finish(keep_epoch=keep_epoch)
                stage.put_in_place()
    return manifest


@asynccontextmanager
async def _database_url(settings: Settings) -> AsyncIterator[str]:
    if settings.database_url is None:
        async with own_database(settings.data_dir, must_exist=False) as url:
            yield url
        return
    url = settings.database_url.get_secret_value()
    if connections := await dump.servers_on(url):  # perhaps of another machine
        raise Refused(
            f"a server runs on this database: it has {connections} connections",
            "stop it first: ./restart.sh --stop, or docker compose stop backend",
        )
    yield url


def _check_fits(manifest: Manifest, settings: Settings) -> None:
    if not migrate.knows(manifest.revision):
        raise Refused(
            f"the backup was written by a newer server ({manifest.server_version}): its schema "
            f"{manifest.revision} is not known here",
            "restore it with that version or a newer one",
        )
    given = settings.secret_key
    if given is None:
        if not manifest.has_key:
            raise Refused(
                "the key that opens stored kubeconfigs is not in the backup: the server had it "
                "from PYK8S_SECRET_KEY",
                "set PYK8S_SECRET_KEY to the same key",
            )
    elif fingerprint(given.get_secret_value().encode()) != manifest.key_fingerprint:
        raise Refused(
            "PYK8S_SECRET_KEY is another key than that of the backup: stored kubeconfigs could "
            "not be opened",
            "set it to the key of then"
            + (", or unset it: the backup has its key" if manifest.has_key else ""),
        )


class _Cursor:
    """The members in order, one ahead."""

    def __init__(self, members: Iterator[Entry]) -> None:
        self._members = members
        self.entry: Entry | None = next(members, None)

    def advance(self) -> None:
        self.entry = next(self._members, None)


async def _load(manifest: Manifest, cursor: _Cursor, loading: dump.Loading, stage: Stage) -> None:
    for table in manifest.tables:
        if table.name not in loading.tables:
            raise Refused(
                f"the backup has rows of {table.name!r}, which is no table of this server's",
                "take another backup",
            )
        columns = dump.Table(table.name, table.columns)
        rows = await loading.copy(columns, _rows(table, cursor))
        if rows != table.rows:
            raise Refused(
                f"{rows} rows of {table.name} were loaded, the backup says {table.rows}",
                "take another backup",
            )
    while (entry := cursor.entry) is not None and entry.name != MANIFEST:
        folder, _, name = entry.name.partition("/")
        if folder != DATA:
            raise Refused(f"the backup has rows of no table: {entry.name}", "take another backup")
        with os.fdopen(stage.create(name, entry.mode), "wb") as file:
            while piece := entry.content.read(READ_BYTES):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        cursor.advance()


async def _rows(table: DumpedTable, cursor: _Cursor) -> AsyncIterator[bytes]:
    prefix = f"{DATABASE}/{table.name}/"
    while (entry := cursor.entry) is not None and entry.name.startswith(prefix):
        while piece := entry.content.read(READ_BYTES):
            yield piece
        cursor.advance()
