"""Brings the spool of an attempt into the event log, each line once, whoever dies in between.

There is no timer: while one transaction is under way the next batch gathers. An idle line is
visible after one commit; a flood makes large batches by itself. Events and the place in the spool
up to which they go are committed together, so a new server goes on exactly there.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pyk8s.wire.cluster import Step
from server.errors import RecordedFurther, Unavailable
from server.provisioner import launch
from server.provisioner.batch import Batch, Reading
from server.provisioner.spool import Record, Spool, records_of
from server.store import attempts, event_log
from server.store.attempts import Attempt
from server.store.database import Database
from server.store.jobs import ClaimedJob
from server.store.recording import record_lines
from server.telemetry import get_logger

RETRY_SECONDS: Final = 0.5
"""After PostgreSQL did not answer. The spool keeps what is said meanwhile."""
ALIVE_CHECK_SECONDS: Final = 0.5

log = get_logger(__name__)


class RunnerLost(Exception):
    """The runner died without noting how its command ended."""


class Recorder:
    """Records one attempt. `heard_at` and `step_since` are seconds of `time.monotonic`."""

    def __init__(
        self,
        *,
        database: Database,
        job: ClaimedJob,
        attempt: Attempt,
        directory: Path,
        steps: Sequence[Step],
        log_cap_bytes: int,
    ) -> None:
        self._database = database
        self._job = job
        self._attempt = attempt
        self._directory = directory
        self._steps = steps
        self._cap = log_cap_bytes
        self.heard_at = time.monotonic()
        self.step_since = time.monotonic()
        self.step: Step | None = None

    async def run(self) -> str:
        """Record until the command has ended; give how, as the runner put it: `exit 0`.

        Raises:
            RunnerLost: it will never be known.
            LostClaim: another worker records now.
        """
        while True:
            try:
                return await self._record()
            except (Unavailable, RecordedFurther) as error:
                log.warning("recording_waits", attempt=str(self._attempt.id), reason=error.detail)
            await self._reload()

    async def _reload(self) -> None:
        """Ask how far we got: a commit whose answer was lost may have happened or not."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                async with self._database.reading() as session:
                    known = await attempts.of_cluster(session, self._attempt.cluster_id)
            except Unavailable:
                continue
            self._attempt = next(each for each in known if each.id == self._attempt.id)
            return

    async def _record(self) -> str:
        reading = Reading(self._steps, self._attempt.recorder_state, log_cap_bytes=self._cap)
        offset = self._attempt.spool_offset
        with Spool(self._directory) as spool:
            source = _Source(spool, offset)
            while reading.ending is None:
                batch = Batch(offset)
                self._gather(source, reading, batch)
                if batch.offset == offset:
                    await self._quiet(spool, source)
                    continue
                offset = await self._write(source, reading, batch)
        return reading.ending

    async def _write(self, source: "_Source", reading: Reading, batch: Batch) -> int:
        """Commit a batch, and one after the other what gathers meanwhile. Gives the new offset."""
        while True:
            state = reading.state()
            commit = asyncio.create_task(self._commit(batch, state))
            gathered = Batch(batch.offset)
            try:
                await asyncio.sleep(0)  # let the statement out before the next lines are read
                self._gather(source, reading, gathered)
                await commit
            except BaseException:
                commit.cancel()
                await asyncio.wait([commit])
                raise
            self._gather(source, reading, gathered)
            if gathered.offset == batch.offset:
                return batch.offset
            batch = gathered

    def _gather(self, source: "_Source", reading: Reading, batch: Batch) -> None:
        """Put what there is into the batch, until it is full or the command has ended."""
        before = batch.offset
        while not batch.is_full and reading.ending is None:
            record = source.next()
            if record is None:
                break
            reading.add(batch, record)
        if batch.offset != before:
            self.heard_at = time.monotonic()
            if reading.steps.step != self.step:
                self.step, self.step_since = reading.steps.step, self.heard_at

    async def _commit(self, batch: Batch, state: dict[str, object]) -> None:
        if (lines := batch.only_lines()) is not None:
            await record_lines(
                self._database,
                self._job,
                self._attempt.id,
                lines,
                known=batch.began,
                offset=batch.offset,
                recorder_state=state,
            )
            return
        async with self._database.transaction() as session:
            if batch.drafts:
                await event_log.append(session, self._attempt.cluster_id, batch.drafts)
            await attempts.advance(
                session,
                self._job,
                self._attempt.id,
                known=batch.began,
                offset=batch.offset,
                recorder_state=state,
            )

    async def _quiet(self, spool: Spool, source: "_Source") -> None:
        """Wait for more. Nothing will come when the runner is dead and all it wrote is read."""
        until = time.monotonic() + ALIVE_CHECK_SECONDS
        while not source.refill():
            if time.monotonic() >= until:
                is_alive = launch.is_alive(self._directory)
                if not is_alive and not source.refill():
                    raise RunnerLost
                until = time.monotonic() + ALIVE_CHECK_SECONDS
            await spool.wait()


class _Source:
    """Records one by one, read from the file in large pieces."""

    def __init__(self, spool: Spool, offset: int) -> None:
        self._spool = spool
        self._offset = offset
        self._records: Iterator[Record] = iter(())

    def refill(self) -> bool:
        """Read on; tell whether there was anything."""
        data = self._spool.read(self._offset)
        self._records = records_of(data, self._offset)
        self._offset += len(data)
        return bool(data)

    def next(self) -> Record | None:
        """Give the next record, or None if there is none yet."""
        record = next(self._records, None)
        if record is None and self.refill():
            record = next(self._records, None)
        return record
