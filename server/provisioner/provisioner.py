"""The provisioner of one host: it announces itself, takes up what it left, and works."""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import anyio.to_thread
import uuid_utils.compat as uuids

from server.drivers.base import Driver
from server.errors import Unavailable
from server.provisioner import launch
from server.provisioner.holding import to_the_end
from server.provisioner.meter import Meter
from server.provisioner.reconciler import SWEEP_SECONDS, Reconciler
from server.provisioner.worker import Worker
from server.provisioner.workshop import Deadlines, Workshop
from server.secrets import Sealer
from server.store import hosts, jobs
from server.store.database import Database
from server.store.hosts import HostFacts
from server.telemetry import get_logger

HEARTBEAT_SECONDS: Final = 10.0
FACTS_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 2.0
ATTEMPTS: Final = "attempts"

T = TypeVar("T")

log = get_logger(__name__)


def host_id_of(data_dir: Path) -> UUID:
    """Read who this host is, deciding it when the data directory is new."""
    path = data_dir / "host-id"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return UUID(path.read_text().strip())
    host_id = uuids.uuid7()
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{host_id}\n")
    return host_id


async def facts_of(driver: Driver) -> HostFacts:
    """Ask the driver about the machine, in the words of the store."""
    facts = await driver.facts()
    return HostFacts(
        node_images=dict(facts.node_images),
        default_kubernetes_version=facts.default_kubernetes_version,
        space=facts.space,
        checks=list(facts.checks),
    )


class Provisioner:
    """Runs as long as the server. `wait_for_work` returns at a hint or after so many seconds."""

    def __init__(
        self,
        *,
        database: Database,
        driver: Driver,
        sealer: Sealer,
        data_dir: Path,
        host_name: str,
        wait_for_work: Callable[[float], Awaitable[None]],
        max_creates: int | None,
        log_cap_bytes: int,
        deadlines: Deadlines | None = None,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._database = database
        self._driver = driver
        self._sealer = sealer
        self._data_dir = data_dir
        self._host_name = host_name
        self._wait_for_work = wait_for_work
        self._max_creates = max_creates
        self._log_cap_bytes = log_cap_bytes
        self._deadlines = deadlines or Deadlines()
        self._sweep_seconds = sweep_seconds
        self.host_id: UUID | None = None
        """Who this host is, once it is announced."""
        self.announced = asyncio.Event()
        """Set when the database knows this host as it is now, not as an earlier server left it."""

    async def run(self) -> None:
        """Work until cancelled, then let go of the driver."""
        try:
            await self._run()
        finally:
            await to_the_end(self._driver.close())

    async def _run(self) -> None:
        """Announce, take up what a dead worker of this host left, and work."""
        attempts_dir = self._data_dir / ATTEMPTS
        await anyio.to_thread.run_sync(
            lambda: attempts_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        )
        host_id = self.host_id = await _patiently(self._announce)
        self.announced.set()
        with _alone(attempts_dir) as is_alone:
            name = str(host_id) if is_alone else f"{host_id}/{os.getpid()}"
            if is_alone:
                await _patiently(partial(self._end_old_leases, name))
            shop = Workshop(
                database=self._database,
                driver=self._driver,
                sealer=self._sealer,
                attempts_dir=attempts_dir,
                host_id=host_id,
                log_cap_bytes=self._log_cap_bytes,
                deadlines=self._deadlines,
            )
            worker = Worker(
                shop,
                name=name,
                wait_for_work=self._wait_for_work,
                max_creates=self._max_creates,
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beat(shop))
                tasks.create_task(worker.run())
                tasks.create_task(Reconciler(shop, seconds=self._sweep_seconds).run())
                tasks.create_task(Meter(shop).run())

    async def _announce(self) -> UUID:
        facts = await facts_of(self._driver)
        async with self._database.transaction() as session:
            host_id = await hosts.announce(
                session,
                host_id=await anyio.to_thread.run_sync(host_id_of, self._data_dir),
                name=self._host_name,
                driver=self._driver.name,
                facts=facts,
            )
        log.info("host_announced", host=str(host_id), driver=self._driver.name)
        return host_id

    async def _end_old_leases(self, name: str) -> None:
        async with self._database.transaction() as session:
            left = await jobs.let_go_of_all(session, worker=name)
        if left:
            log.info("leases_of_dead_worker_ended", jobs=left)

    async def _beat(self, shop: Workshop) -> None:
        facts = await facts_of(self._driver)
        seen_at = time.monotonic()
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            launch.reap(shop.runners)
            if time.monotonic() - seen_at >= FACTS_SECONDS:
                facts, seen_at = await facts_of(self._driver), time.monotonic()
            with contextlib.suppress(Unavailable):
                async with self._database.transaction() as session:
                    await hosts.heartbeat(session, shop.host_id, facts)


async def _patiently(do: Callable[[], Awaitable[T]]) -> T:
    """Do it as soon as PostgreSQL answers."""
    while True:
        try:
            return await do()
        except Unavailable as error:
            log.warning("provisioner_waits", reason=error.detail)
            await asyncio.sleep(RETRY_SECONDS)


@contextlib.contextmanager
def _alone(attempts_dir: Path) -> Iterator[bool]:
    """Take the directory for this process. False: another living process has it."""
    descriptor = os.open(attempts_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
