"""What a migration moves is the same afterwards, in both directions."""

from collections.abc import Callable

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from pyk8s.wire.accounts import User
from server.store import event_log, event_reads
from server.store.connecting import driver_url
from server.store.database import Database
from server.store.migrate import MIGRATIONS
from tests.factories import add_cluster, log_lines

BEFORE_CHUNKS = "7c1f0b6a9d42"


async def migrate(url: str, go: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        go(config)

    engine = create_async_engine(driver_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


async def test_a_log_is_the_same_after_it_was_moved_into_chunks_and_back(
    database: Database, owner: User, database_url: str
) -> None:
    clusters = [await add_cluster(database, owner, name=f"demo-{n}") for n in range(2)]
    for cluster in clusters:
        for size in (1, 300, 7):
            async with database.transaction() as session:
                await event_log.append(session, cluster.id, log_lines(size))

    async def whole_logs() -> list[object]:
        async with database.reading() as session:
            return [
                await event_reads.read(session, cluster.id, after=0, limit=10_000)
                for cluster in clusters
            ]

    before = await whole_logs()
    await database.close()
    await migrate(database_url, lambda config: command.downgrade(config, BEFORE_CHUNKS))
    async with database.reading() as reading:
        query = text("SELECT count(*) FROM events WHERE type = 'log_line'")
        assert (await reading.execute(query)).scalar_one() == 2 * 308
    await database.close()
    await migrate(database_url, lambda config: command.upgrade(config, "head"))
    assert await whole_logs() == before
