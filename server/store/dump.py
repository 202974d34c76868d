"""Every row of the database: out of one snapshot, and back into an empty database.

COPY in text format is the same in all versions of PostgreSQL, needs no program beside the server,
and leaves the schema to the migrations: rows are loaded under the revision that they were read
under, and migrated from there.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

import asyncpg
from sqlalchemy import pool, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.errors import StartFailed
from server.store import migrate
from server.store.connecting import connect, create_engine
from server.store.database import APPLICATION_NAME

VERSION_TABLE: Final = "alembic_version"
CONNECT_SECONDS: Final = 10.0

_TABLES: Final = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname
"""
_COLUMNS: Final = """
SELECT attname FROM pg_attribute
WHERE attrelid = format('%I.%I', current_schema(), $1::text)::regclass
  AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
"""
_REFERENCES: Final = """
SELECT child.relname AS child, parent.relname AS parent FROM pg_constraint
JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
"""
_RELATIONS: Final = """
SELECT relname, relkind::text FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was read: a restore loads these columns, and counts the rows."""

    name: str
    columns: tuple[str, ...]


class Snapshot:
    """The database at one moment, while its server goes on writing."""

    def __init__(
        self, connection: asyncpg.Connection, revision: str, tables: Sequence[Table]
    ) -> None:
        self._connection = connection
        self.revision = revision
        self.tables = tables
        """Parents before children, so that foreign keys hold while they are loaded."""

    async def copy(self, table: Table, write: Callable[[bytes], None]) -> int:
        """Hand all rows of a table to `write`, as COPY's text; return how many there are."""

        async def take(data: bytes) -> None:
            write(bytes(data))

        status: str = await self._connection.copy_from_table(
            table.name, columns=table.columns, output=take, format="text"
        )
        return int(status.rpartition(" ")[2])


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[Snapshot]:
    """Open a snapshot: every table is read as of the same commit.

    Raises:
        StartFailed: the database is not one of PyK8s Lab, or PostgreSQL refuses.
    """
    connection = await _connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            names = [row["relname"] for row in await connection.fetch(_TABLES)]
            if VERSION_TABLE not in names:
                raise StartFailed(
                    "the database holds no PyK8s Lab: a server has never been started on it",
                    fix="name the database of the server with PYK8S_DATABASE_URL, or its data "
                    "directory with PYK8S_DATA_DIR",
                )
            revision = await connection.fetchval(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608
            parents: dict[str, set[str]] = {name: set() for name in names if name != VERSION_TABLE}
            for row in await connection.fetch(_REFERENCES):
                if row["child"] != row["parent"]:
                    parents[row["child"]].add(row["parent"])
            tables = [
                Table(name, tuple(row[0] for row in await connection.fetch(_COLUMNS, name)))
                for name in TopologicalSorter(parents).static_order()
            ]
            yield Snapshot(connection, revision, tables)
    finally:
        await connection.close(timeout=5)


async def servers_on(url: str) -> int:
    """Return how many connections a server has to the database now.

    Raises:
        StartFailed: PostgreSQL does not answer or refuses.
    """
    connection = await _connect(url)
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = $1",
            APPLICATION_NAME,
        )
    finally:
        await connection.close(timeout=5)
    return count


class Loading:
    """An open transaction that fills a database. It is all there at its end, or nothing is."""

    def __init__(
        self,
        connection: AsyncConnection,
        raw: asyncpg.Connection,
        *,
        schema: str,
        tables: frozenset[str],
    ) -> None:
        self._connection = connection
        self._raw = raw
        self._schema = schema
        self.tables = tables
        """The names of those that it fills: what a backup names besides them is none of ours."""

    async def copy(self, table: Table, rows: AsyncIterator[bytes]) -> int:
        """Load one of `tables`; return how many rows came.

        The schema is named: PostgreSQL looks for a table in its own catalog first.
        """
        status: str = await self._raw.copy_to_table(
            table.name,
            schema_name=self._schema,
            columns=table.columns,
            source=rows,
            format="text",
        )
        return int(status.rpartition(" ")[2])

    async def finish(self, *, keep_epoch: bool) -> None:
        """Migrate to this server's schema, and say whether the event log is still the same one."""
        await self._connection.run_sync(migrate.upgrade_open)
        if not keep_epoch:
            await self._connection.execute(
                text("UPDATE installation SET epoch = gen_random_uuid()")
            )


@asynccontextmanager
async def loading(url: str, *, revision: str, replace: bool) -> AsyncIterator[Loading]:
    """Open a database for a restore: the empty schema of a revision.

    `replace`: an installation that is there is dropped, in the same transaction.

    Raises:
        StartFailed: it is not empty, or PostgreSQL refuses.
    """
    settings = {"application_name": f"{APPLICATION_NAME} restore", "statement_timeout": "0"}
    engine = create_engine(url, poolclass=pool.NullPool, connect_args={"server_settings": settings})
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate.lock)
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            await _make_empty(raw, replace=replace)
            await connection.run_sync(lambda each: migrate.upgrade_open(each, revision))
            # Migrations write rows of their own; those of the backup come in their place.
            names = {row["relname"] for row in await raw.fetch(_TABLES)} - {VERSION_TABLE}
            listed = ", ".join(f'"{name}"' for name in sorted(names))
            await raw.execute(f"TRUNCATE {listed}")
            schema = await raw.fetchval("SELECT current_schema()")
            yield Loading(connection, raw, schema=schema, tables=frozenset(names))
    finally:
        await engine.dispose()


async def _make_empty(raw: asyncpg.Connection, *, replace: bool) -> None:
    found = {row["relname"]: row["relkind"] for row in await raw.fetch(_RELATIONS)}
    if not found:
        return
    if VERSION_TABLE not in found:
        raise StartFailed(
            f"the database is not empty, and not PyK8s Lab's: it has {', '.join(sorted(found))}",
            fix="restore into a database of its own (PYK8S_DATABASE_URL)",
        )
    if not replace:
        clusters = await raw.fetchval("SELECT count(*) FROM clusters") if "clusters" in found else 0
        raise StartFailed(
            f"the database is not empty: a server has kept {clusters} clusters in it",
            fix="restore into an empty one, or say --replace to delete what is there",
        )
    kinds = {"v": "VIEW", "m": "MATERIALIZED VIEW", "r": "TABLE", "p": "TABLE", "S": "SEQUENCE"}
    for name in sorted(found, key=lambda name: list(kinds).index(found[name])):
        await raw.execute(f'DROP {kinds[found[name]]} IF EXISTS "{name}" CASCADE')


async def _connect(url: str) -> asyncpg.Connection:
    settings = {
        "application_name": f"{APPLICATION_NAME} backup",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "timezone": "UTC",
    }
    try:
        return await connect(url, timeout=CONNECT_SECONDS, server_settings=settings)
    except (OSError, asyncpg.PostgresError) as error:
        raise StartFailed(
            f"PostgreSQL cannot be reached: {error or type(error).__name__}",
            fix="start it, or correct PYK8S_DATABASE_URL",
        ) from error
