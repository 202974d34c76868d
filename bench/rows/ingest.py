"""Durable ingest: from a spool on disk, through the recorder, to the last commit."""

import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self
from uuid import UUID, uuid4

import asyncpg
import uuid_utils.compat as uuids

from bench import lines, machine
from bench.measure import Figure, Sample, Scale, Setting, Target, alternate, two_figures
from bench.site import add_accounts, add_clusters
from pyk8s.wire.cluster import Cluster
from server.admission import Space
from server.drivers.kind_output import plan
from server.provisioner.recorder import Recorder
from server.store import attempts, claims, clusters, hosts, jobs
from server.store.attempts import Attempt
from server.store.database import Database
from server.store.hosts import HostFacts
from server.store.jobs import ClaimedJob

LINES: Final = {Scale.FULL: 200_000, Scale.QUICK: 40_000, Scale.TINY: 2_000}
LINES_PER_READ: Final = 500
"""The runner stamps what it reads at once with one time; a flood fills its reads."""
ROWS_PER_TRANSACTION: Final = 2000
TABLE: Final = """
CREATE TABLE IF NOT EXISTS bench_events (
    cluster_id uuid, seq bigint, type text, version integer, at timestamptz, data jsonb,
    PRIMARY KEY (cluster_id, seq)
)"""
COLUMNS: Final = ("cluster_id", "seq", "type", "version", "at", "data")


async def measure(setting: Setting) -> list[Figure]:
    """Record a flood, and COPY the same events."""
    count = LINES[setting.scale]
    folder = Path(tempfile.mkdtemp(prefix="ingest-", dir=setting.site.path))
    write_spool(folder / "spool", count)
    async with setting.site.database() as database:
        host_id = await announce(database)
        owners = await add_accounts(database, setting.repeat)
        owned = iter(await add_clusters(database, owners))

        async def ours() -> Sample:
            cluster = next(owned)
            attempt, job = await begin(database, cluster, host_id)
            with Watch(setting.site.postgres_pid) as watch:
                await recorder(database, job, attempt, folder).run()
            await check(database, cluster, count)
            return Sample(count / watch.seconds, watch.cpu)

        async def baseline() -> Sample:
            return await copy(database.url, count, setting.site.postgres_pid)

        mine, other = await alternate(setting.repeat, ours, baseline)
    shutil.rmtree(folder)
    figure = Figure(
        "ingest", "durable ingest of one flooded cluster", "lines/s",
        baseline_is="asyncpg COPY of the same rows, ready-made",
        targets=[Target("ratio", ">=", 0.5), Target("ours", ">=", 50_000)],
        note=f"{count:,} lines from a spool",
    )  # fmt: skip
    return two_figures(figure, mine, other, "recorder and PostgreSQL")


class Watch:
    """Counts the seconds of a block, and the processor time of this process and PostgreSQL."""

    def __init__(self, postgres: int) -> None:
        self._postgres = postgres
        self.seconds = self.cpu = 0.0

    def __enter__(self) -> Self:
        self.seconds, self.cpu = time.perf_counter(), self._used()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds, self.cpu = time.perf_counter() - self.seconds, self._used() - self.cpu

    def _used(self) -> float:
        return time.process_time() + machine.tree_cpu_seconds(self._postgres)


def write_spool(path: Path, count: int) -> None:
    """Write what the runner would have written."""
    stamp = time.time_ns()
    with path.open("w") as file:
        for number in range(count):
            at = stamp + number // LINES_PER_READ * 1_000_000
            file.write(f"e{at} {lines.text(number)}\n")
        file.write(f"x{stamp} exit 0\n")


async def announce(database: Database) -> UUID:
    """Be a provisioner's host."""
    facts = HostFacts(
        node_images={}, default_kubernetes_version="v1.37.0",
        space=Space(cpus=None, memory_total=2**34, memory_available=None), checks=[],
    )  # fmt: skip
    async with database.transaction() as session:
        return await hosts.announce(
            session, host_id=uuids.uuid7(), name="bench", driver="simulated", facts=facts
        )


async def begin(database: Database, cluster: Cluster, host_id: UUID) -> tuple[Attempt, ClaimedJob]:
    """Claim a create, and start its attempt."""
    job_id = uuids.uuid7()
    async with database.transaction() as session:
        await jobs.enqueue(session, cluster.id, "create", job_id=job_id)
    async with database.transaction() as session:
        await claims.take_turn(session)
        job = await claims.claim(
            session, host_id=host_id, worker="bench", lease_seconds=3600, fresh=job_id
        )
        attempt = await attempts.start(
            session,
            cluster.id,
            host_id=host_id,
            driver="simulated",
            attempt_id=uuids.uuid7(),
            log_cap_bytes=10**9,
        )
    if job is None:
        raise RuntimeError("the job could not be claimed")
    return attempt, job


def recorder(database: Database, job: ClaimedJob, attempt: Attempt, folder: Path) -> Recorder:
    """Make what brings the spool into the event log, as the worker does."""
    return Recorder(
        database=database, job=job, attempt=attempt, directory=folder,
        steps=plan(control_planes=1, workers=0), log_cap_bytes=2**40,
    )  # fmt: skip


async def check(database: Database, cluster: Cluster, count: int) -> None:
    """See that every line is there."""
    async with database.reading() as session:
        seen = await clusters.get_any(session, cluster.id)
    if seen is None or seen.last_seq != cluster.last_seq + count:
        raise RuntimeError(f"{count} lines were written, and last_seq is {seen and seen.last_seq}")


async def copy(url: str, count: int, postgres: int) -> Sample:
    """COPY rows into a table like `events`."""
    cluster_id, at = uuid4(), datetime.now(UTC)
    rows = [
        (cluster_id, seq, "log_line", 1, at, data)
        for seq, data in enumerate(lines.events(count), start=1)
    ]
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(TABLE)
        with Watch(postgres) as watch:
            for first in range(0, count, ROWS_PER_TRANSACTION):
                part = rows[first : first + ROWS_PER_TRANSACTION]
                await connection.copy_records_to_table(
                    "bench_events", columns=COLUMNS, records=part
                )
        return Sample(count / watch.seconds, watch.cpu)
    finally:
        await connection.close(timeout=5)
