"""A real provisioner on a real PostgreSQL, with the simulated driver.

lab           a database, a user, and what is needed to ask for clusters and watch them
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat as uuids
from cryptography.fernet import Fernet
from sqlalchemy import text

from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.events import ClusterEvent, LogLineEvent
from pyk8s.wire.facts import PhaseChanged
from server.commands import lifetime
from server.drivers.base import Driver
from server.drivers.simulated import SimulatedDriver
from server.provisioner import launch
from server.provisioner.provisioner import Provisioner
from server.provisioner.workshop import Deadlines
from server.secrets import Sealer
from server.store import clusters, event_log, event_reads, jobs
from server.store.database import Database

SPEED = 40.0


@dataclass
class Lab:
    """One installation under test."""

    database: Database
    data_dir: Path
    owner_id: UUID
    speed: float = SPEED
    deadlines: Deadlines = field(default_factory=Deadlines)
    log_cap_bytes: int = 16 * 1024 * 1024
    max_creates: int = 2
    sweep_seconds: float = 0.1
    sealer: Sealer = field(default_factory=lambda: Sealer(Fernet.generate_key()))
    make_driver: Callable[[], Driver] | None = None

    @property
    def driver(self) -> Driver:
        if self.make_driver is not None:
            return self.make_driver()
        return SimulatedDriver(self.data_dir / "simulated", speed=self.speed)

    def provisioner(self) -> Provisioner:
        async def wait_for_work(seconds: float) -> None:
            await asyncio.sleep(min(seconds, 0.05))

        return Provisioner(
            database=self.database,
            driver=self.driver,
            sealer=self.sealer,
            data_dir=self.data_dir,
            host_name="testhost",
            wait_for_work=wait_for_work,
            max_creates=self.max_creates,
            log_cap_bytes=self.log_cap_bytes,
            deadlines=self.deadlines,
            sweep_seconds=self.sweep_seconds,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run a provisioner for the length of a block."""
        task = asyncio.create_task(self.provisioner().run())
        try:
            yield
        finally:
            assert not task.done(), task.exception()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def ask(self, *, version: str = "v1.37.0", **labels: str) -> UUID:
        """Ask for a cluster, as the command does."""
        cluster_id = uuids.uuid7()
        new = clusters.NewCluster(
            id=cluster_id,
            name=f"c{cluster_id.hex[-12:]}",
            template="default",
            kubernetes_version=version,
            control_planes=1,
            workers=0,
            ttl_seconds=600,
            labels=labels,
            driver="simulated",
        )
        async with self.database.transaction() as session:
            assert await clusters.add(session, self.owner_id, new)
            await jobs.enqueue(session, cluster_id, "create", job_id=uuids.uuid7())
        return cluster_id

    async def ask_to_delete(self, cluster_id: UUID) -> None:
        """Ask for its end, as the command does."""
        cluster = await self.cluster(cluster_id)
        moved = PhaseChanged(from_=cluster.phase, to=Phase.DELETING, reason="DeleteRequested")
        async with self.database.transaction() as session:
            await event_log.append(session, cluster_id, [event_log.Draft(moved)])
            await jobs.request_cancel(session, cluster_id)
            await jobs.enqueue(session, cluster_id, "delete", job_id=uuids.uuid7())

    async def cancel(self, cluster_id: UUID) -> Cluster:
        """Stop its create, by the command."""
        return await lifetime.cancel_create(
            self.database, owner_id=self.owner_id, id_or_name=cluster_id, by="ann"
        )

    async def retry(self, cluster_id: UUID) -> Cluster:
        """Try again, by the command."""
        return await lifetime.retry_create(
            self.database, owner_id=self.owner_id, id_or_name=cluster_id
        )

    async def cluster(self, cluster_id: UUID) -> Cluster:
        async with self.database.reading() as session:
            found = await clusters.get_any(session, cluster_id)
        assert found is not None
        return found

    async def events(self, cluster_id: UUID) -> list[ClusterEvent]:
        async with self.database.reading() as session:
            return await event_reads.read(session, cluster_id, after=0, limit=1_000_000)

    async def lines(self, cluster_id: UUID) -> list[str]:
        events = await self.events(cluster_id)
        return [event.data.text for event in events if isinstance(event, LogLineEvent)]

    async def reaches(self, cluster_id: UUID, phase: Phase, seconds: float = 20) -> Cluster:
        """Wait until the cluster is in a phase."""

        async def there() -> Cluster | None:
            cluster = await self.cluster(cluster_id)
            return cluster if cluster.phase is phase else None

        found: Cluster = await eventually(there, seconds)
        return found

    async def has_line(self, cluster_id: UUID, start: str, seconds: float = 20) -> None:
        async def there() -> bool:
            return any(line.startswith(start) for line in await self.lines(cluster_id))

        await eventually(there, seconds)

    async def execute(self, statement: str, **values: Any) -> None:
        async with self.database.transaction() as session:
            await session.execute(text(statement), values)

    async def scalar(self, query: str, **values: Any) -> Any:
        async with self.database.reading() as session:
            return await session.scalar(text(query), values)


async def eventually(ask: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    """Ask again and again until there is an answer."""
    async with asyncio.timeout(seconds):
        while not (answer := await ask()):
            await asyncio.sleep(0.02)
    return answer


@pytest.fixture
async def lab(database_url: str, tmp_path: Path) -> AsyncIterator[Lab]:
    database = Database(database_url, pool_size=5)
    owner_id = uuids.uuid7()
    async with database.transaction() as session:
        await session.execute(
            text("INSERT INTO users (id, username, password_hash) VALUES (:id, 'ann', 'x')"),
            {"id": owner_id},
        )
    yield Lab(database, tmp_path, owner_id)
    await database.close()
    for directory in (tmp_path / "attempts").glob("*-*"):
        await launch.stop(directory, grace_seconds=0.2)
