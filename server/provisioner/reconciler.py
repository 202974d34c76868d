"""Compares, again and again, what should exist on this host with what does.

Nothing is believed at the first sight: only what two sweeps have found is removed or given up.
What is neither labelled as ours nor in our directory is not looked at.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import anyio.to_thread
import uuid_utils.compat as uuids

from pyk8s.wire.admin import Difference, DriftAttempt
from pyk8s.wire.cluster import Phase
from server.drivers.base import DriverError, Found
from server.errors import LabError, Unavailable
from server.provisioner import findings, launch, verdicts
from server.provisioner.verdicts import Verdict, is_needed, judge
from server.provisioner.workshop import Workshop
from server.store import access, attempts, clusters, drift, jobs, sweep
from server.store.sweep import Standing
from server.telemetry import get_logger

SWEEP_SECONDS: Final = 15.0
LIST_SECONDS: Final = 10.0
"""Docker lists in milliseconds; one that takes longer is as good as away."""
ASK_SECONDS: Final = 8.0
ASKED_SECONDS: Final = 3.0
"""How often to look whether an administrator wants a repair."""
KEPT_SECONDS: Final = 60.0
"""Findings that stay the same are written down again so often, to show that somebody looks."""

log = get_logger(__name__)


class Reconciler:
    """The sweeps of one host."""

    def __init__(self, shop: Workshop, *, seconds: float = SWEEP_SECONDS) -> None:
        self._shop = shop
        self._seconds = seconds
        self._suspects: frozenset[UUID] = frozenset()
        """What looked like nobody's at the sweep before."""
        self._gone: frozenset[UUID] = frozenset()
        """Whose nodes could not be seen at the sweep before."""
        self._idle: frozenset[UUID] = frozenset()
        """Clusters that had nobody to work on them at the sweep before."""
        self._differences: list[Difference] = []
        self._kept: object = None
        self._kept_at = 0.0
        self._removing: dict[UUID, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Sweep until cancelled."""
        try:
            while True:
                try:
                    await self.sweep()
                except LabError as error:
                    log.warning("sweep_failed", code=error.code, detail=error.detail)
                except Exception:
                    log.exception("sweep_broke")
                await self._pause()
        finally:
            for task in self._removing.values():
                task.cancel()
            if self._removing:
                await asyncio.wait(self._removing.values())

    async def _pause(self) -> None:
        """Wait for the next sweep, or for somebody who wants a repair now."""
        until = time.monotonic() + self._seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, ASKED_SECONDS))
            with contextlib.suppress(Unavailable):
                async with self._shop.database.reading() as session:
                    if await drift.is_asked(session, self._shop.host_id):
                        return

    async def sweep(self) -> None:
        """Look once, and act on what was seen twice, or on what an administrator has seen.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        async with self._shop.database.transaction() as session:
            asked = await drift.take_repairs(session, self._shop.host_id)
        self._differences = []
        await self._give_work(asked)
        before = await self._standings()
        async with self._shop.database.reading() as session:
            ours = await sweep.removed_lately(session, self._shop.host_id) | before.keys()
        try:
            async with asyncio.timeout(LIST_SECONDS):
                listed = await self._shop.driver.list_attempts(ours)
        except (DriverError, TimeoutError) as error:
            # Nothing was seen: neither that something is there nor that it is not.
            self._suspects = self._gone = frozenset()
            await self._keep([], unreachable=verdicts.unreachable(error, LIST_SECONDS).message)
            await self._say_unreachable(before, error)
            return
        found = {each.attempt_id: each for each in listed}
        directories = await anyio.to_thread.run_sync(_directories, self._shop.attempts_dir)
        # Read again: what has been begun since is older in the database than on the machine.
        after = await self._standings(also=[*found, *directories])
        await self._remove_orphans({*found, *directories}, after, asked)
        # One that was woken or paused meanwhile may have been listed as it was before.
        as_before = {key: row for key, row in after.items() if _is_still(row, before.get(key))}
        await self._judge(found, as_before, asked)
        await self._keep(findings.side_by_side(after, found, directories))

    async def _keep(self, seen: Sequence[DriftAttempt], *, unreachable: str | None = None) -> None:
        """Write it down when it is new, for administrators."""
        kept = (list(seen), list(self._differences), unreachable)
        if kept == self._kept and time.monotonic() - self._kept_at < KEPT_SECONDS:
            return
        async with self._shop.database.transaction() as session:
            await drift.keep(
                session,
                self._shop.host_id,
                attempts=seen,
                differences=self._differences,
                unreachable=unreachable,
            )
        self._kept, self._kept_at = kept, time.monotonic()

    async def _standings(self, also: Sequence[UUID] = ()) -> dict[UUID, Standing]:
        async with self._shop.database.reading() as session:
            return await sweep.standings(session, self._shop.host_id, also=also)

    async def _give_work(self, asked: Collection[str]) -> None:
        """A cluster that waits for work which nobody has to do would wait for ever."""
        async with self._shop.database.reading() as session:
            idle = dict(await sweep.without_work(session))
        self._differences += [findings.idle(each, kind) for each, kind in idle.items()]
        asked_for = {each for each in idle if findings.idle_id(each) in asked}
        for cluster_id in (idle.keys() & self._idle) | asked_for:
            async with self._shop.database.transaction() as session:
                await clusters.lock(session, cluster_id)
                still = dict(await sweep.without_work(session)).get(cluster_id)
                if still is not None:
                    log.warning("work_given_again", cluster_id=str(cluster_id), kind=still)
                    await jobs.enqueue(session, cluster_id, still, job_id=uuids.uuid7())
        self._idle = frozenset(idle)

    async def _remove_orphans(
        self, there: set[UUID], rows: Mapping[UUID, Standing], asked: Collection[str]
    ) -> None:
        begun = [row.attempt_id for row in rows.values() if row.outcome is None]
        newest = max(begun, default=None)
        suspects = set()
        for attempt_id in there:
            row = rows.get(attempt_id)
            if row is None:
                # Younger than what is being built now: perhaps its row cannot be seen yet.
                is_orphan = newest is None or attempt_id < newest
            else:
                is_orphan = row.host_id == self._shop.host_id and not is_needed(row)
                is_orphan = is_orphan and row.driver == self._shop.driver.name
            if is_orphan:
                suspects.add(attempt_id)
        self._differences += [findings.orphan(each, rows.get(each)) for each in sorted(suspects)]
        asked_for = {each for each in suspects if findings.orphan_id(each) in asked}
        for attempt_id in ((suspects & self._suspects) | asked_for) - self._removing.keys():
            task = asyncio.create_task(self._remove(attempt_id, attempt_id in rows))
            self._removing[attempt_id] = task
        self._suspects = frozenset(suspects)

    async def _remove(self, attempt_id: UUID, is_known: bool) -> None:
        directory = self._shop.attempts_dir / str(attempt_id)
        log.warning("orphan_removed", attempt=str(attempt_id), is_known=is_known)
        try:
            await launch.stop(directory, grace_seconds=self._shop.deadlines.grace)
            async with asyncio.timeout(self._shop.deadlines.delete):
                await self._shop.driver.delete(attempt_id, directory)
            if is_known:
                async with self._shop.database.transaction() as session:
                    await attempts.finish(session, attempt_id, "lost")
                    await attempts.mark_removed(session, attempt_id)
        except (DriverError, Unavailable, TimeoutError) as error:
            log.warning("orphan_stays", attempt=str(attempt_id), reason=str(error))
        except Exception:
            log.exception("orphan_removal_broke", attempt=str(attempt_id))
        finally:
            del self._removing[attempt_id]

    async def _judge(
        self, found: Mapping[UUID, Found], rows: Mapping[UUID, Standing], asked: Collection[str]
    ) -> None:
        """Say of each finished cluster what its nodes are like."""
        gone = set()
        await self._keep_reachable(found, rows)
        for row in rows.values():
            if not verdicts.is_finished(row):
                continue
            if row.driver != self._shop.driver.name:
                await self._say(row, verdicts.driver_away(row.driver))
                continue
            # An older server left it there, or one that ended between two steps.
            await self._shop.driver.forget_access(self._shop.attempts_dir / str(row.attempt_id))
            each = found.get(row.attempt_id)
            verdict = judge(row, each.nodes if each is not None else {})
            if verdict is verdicts.SWITCHED_OFF:
                continue
            if verdict is not verdicts.RUNNING:
                self._differences.append(findings.broken(row, verdict))
            if verdict is verdicts.GONE:
                gone.add(row.attempt_id)
                if (
                    row.attempt_id not in self._gone
                    and findings.gone_id(row.attempt_id) not in asked
                ):
                    continue
            elif verdict is verdicts.RUNNING:
                if not verdicts.is_ours(row.ready):
                    continue
                is_paused = row.phase is Phase.PAUSED
                verdict = verdicts.FROZEN if is_paused else await self._ask(row)
            await self._say(row, verdict)
        self._gone = frozenset(gone)

    async def _keep_reachable(
        self, found: Mapping[UUID, Found], rows: Mapping[UUID, Standing]
    ) -> None:
        running = [
            key
            for key, row in rows.items()
            if key in found
            and row.phase is Phase.READY
            and row.driver == self._shop.driver.name
            and judge(row, found[key].nodes) is verdicts.RUNNING
        ]
        try:
            await self._shop.driver.keep_reachable(running)
        except DriverError as error:
            log.warning("not_reachable", reason=str(error))

    async def _ask(self, row: Standing) -> Verdict:
        """The nodes run again: is the cluster there again?"""
        async with self._shop.database.reading() as session:
            way = await access.way_into(session, row.cluster_id)
        if way is None or way.attempt_id != row.attempt_id:  # it is being removed
            return verdicts.SILENT
        try:
            async with asyncio.timeout(ASK_SECONDS):
                kubeconfig = self._shop.kubeconfig_of(way)
                answers = await self._shop.driver.answers(row.attempt_id, kubeconfig)
        except (TimeoutError, DriverError):
            answers = False
        return verdicts.RUNNING if answers else verdicts.SILENT

    async def _say_unreachable(
        self, rows: Mapping[UUID, Standing], error: DriverError | TimeoutError
    ) -> None:
        verdict = verdicts.unreachable(error, LIST_SECONDS)
        for row in rows.values():
            if verdicts.is_finished(row):
                await self._say(row, verdict)

    async def _say(self, row: Standing, verdict: Verdict) -> None:
        if verdicts.is_said(verdict, row.ready):
            return
        async with self._shop.database.transaction() as session:
            if await verdicts.write(session, row.cluster_id, verdict):
                log.warning("verdict", cluster_id=str(row.cluster_id), reason=verdict.reason)


def _directories(attempts_dir: Path) -> list[UUID]:
    """List the attempts that have a directory; what is not named like one is none."""
    found = []
    for path in attempts_dir.iterdir():
        try:
            found.append(UUID(path.name))
        except ValueError:
            continue
    return found


def _is_still(row: Standing, before: Standing | None) -> bool:
    return before is not None and row.phase is before.phase
