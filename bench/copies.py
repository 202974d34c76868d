"""Many clusters out of one that has really lived: rows copied inside the database.

To let a hundred thousand clusters live would take days. What is measured afterwards does not see
the difference: every row is one that the server wrote, with another identity and an earlier time.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import asyncpg

from bench.site import Account

PIECE: Final = 1000
"""Clusters that are copied by one statement."""

APART: Final = "20 seconds"
"""Time between one cluster and the next: a hundred thousand are from the last 23 days, so none of
their logs is old enough to be given up."""

TABLES: Final = ("clusters", "attempts", "jobs", "events", "log_chunks")
"""Those that keep something of a cluster that is gone, each after what it points to."""

OWN: Final = {
    ("clusters", "id"): "copies.cluster_id",
    ("clusters", "owner_id"): "copies.owner_id",
    ("attempts", "id"): "uuidv7()",
    ("jobs", "id"): "uuidv7()",
}


async def multiply(url: str, cluster_id: UUID, owners: Sequence[Account], count: int) -> int:
    """Copy a deleted cluster so many times, to one owner after the other; tell of all events."""
    connection = await asyncpg.connect(url, command_timeout=3600)
    try:
        await connection.execute(
            "CREATE TEMP TABLE copies (n integer PRIMARY KEY, cluster_id uuid, owner_id uuid)"
        )
        await connection.execute(
            "INSERT INTO copies SELECT n, uuidv7(), ($2::uuid[])[n % cardinality($2) + 1]"
            " FROM generate_series(1, $1) AS n",
            count,
            [owner.user.id for owner in owners],
        )
        for table in TABLES:
            statement = await _statement(connection, table)
            for first in range(1, count + 1, PIECE):
                last = min(first + PIECE - 1, count)
                await connection.execute(statement, cluster_id, first, last)
        await connection.execute("VACUUM ANALYZE")
        return int(await connection.fetchval("SELECT sum(last_seq)::bigint FROM clusters"))
    finally:
        await connection.close(timeout=5)


async def _statement(connection: asyncpg.Connection, table: str) -> str:
    """Write what copies the rows of one table."""
    columns = await connection.fetch(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
        table,
    )
    names = [column["column_name"] for column in columns]
    values = [_value(table, *column.values()) for column in columns]
    key = "id" if table == "clusters" else "cluster_id"
    return (
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"
        f" FROM {table} AS kept CROSS JOIN copies"
        f" WHERE kept.{key} = $1 AND copies.n BETWEEN $2 AND $3"
    )


def _value(table: str, column: str, kind: str) -> str:
    if (own := OWN.get((table, column))) is not None:
        return own
    if column == "cluster_id":
        return "copies.cluster_id"
    if kind.startswith("timestamp"):
        return f"kept.{column} - copies.n * interval '{APART}'"
    return f"kept.{column}"
