"""Fixtures that every test may use.

postgres      address of an empty real PostgreSQL; one server for the session (each xdist worker)
template      name of a database in it with all migrations applied, from which tests clone
database_url  address of a fresh clone of the template; dropped after the test

Further fixtures stand in the conftest.py of the folder that uses them.
"""

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import asyncpg
import pytest

from server.store.embedded import EmbeddedPostgres
from server.store.migrate import upgrade

TEMPLATE = "template_migrated"


def pytest_configure() -> None:
    """Hear Ctrl-C again: a shell that runs us in the background hands on that it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def with_database(address: str, database: str) -> str:
    """Give the address of another database of the same server."""
    before, _, options = address.partition("?")
    return f"{before.rpartition('/')[0]}/{database}?{options}"


@asynccontextmanager
async def administrator(address: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to the database `postgres` of a server, to make and drop others."""
    connection = await asyncpg.connect(with_database(address, "postgres"), command_timeout=30)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL that forgets everything afterwards; commits do not wait for a disk."""
    data_dir = Path(tempfile.mkdtemp(prefix="pyk8s-test-"))
    embedded = EmbeddedPostgres(data_dir, durable=False)
    try:
        yield anyio.run(embedded.start)
    finally:
        anyio.run(embedded.remove)
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """Apply the real migrations once."""

    async def make() -> None:
        async with administrator(postgres) as connection:
            await connection.execute(f'CREATE DATABASE "{TEMPLATE}"')
        await upgrade(with_database(postgres, TEMPLATE))

    anyio.run(make)
    return TEMPLATE


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """Clone the template for one test."""
    name = f"test_{uuid4().hex}"
    async with administrator(postgres) as connection:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield with_database(postgres, name)
    async with administrator(postgres) as connection:
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
