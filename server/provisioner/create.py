"""The work on a create job, from its first event to `ready` or `failed`.

It can be taken up at any point by a new server: an attempt whose runner lives, or has noted how
its command ended, goes on where its recording stopped; one that died with its machine is removed
and tried once more under another name.
"""

import asyncio
import time
from typing import Final

from pyk8s.wire.cluster import Cluster, Phase, Step
from server.drivers.base import DriverError, Explanation
from server.errors import PhaseConflict
from server.provisioner import evidence, launch, outcome
from server.provisioner.holding import Holding, JobCancelled, to_the_end
from server.provisioner.meter import usage_of
from server.provisioner.recorder import Recorder, RunnerLost
from server.provisioner.removal import remove
from server.provisioner.workshop import Workshop, plan_of
from server.store import attempts, clusters, jobs
from server.store.attempts import Attempt
from server.telemetry import get_logger

MAX_LOST: Final = 2
"""So many tries in a row may die with their machine."""
WATCH_SECONDS: Final = 0.5
SPOOL_PER_LOG: Final = 4
"""The spool has timestamps, and what cleaning takes away."""

LOST: Final = Explanation(
    code="runner_lost",
    title="The create was interrupted",
    cause="the process that built the cluster was gone after a restart of the server, twice",
    fix="create the cluster again; if it happens again, see why the host or container restarts",
)

log = get_logger(__name__)


async def create(shop: Workshop, holding: Holding) -> None:
    """Do the job to its end.

    Raises:
        LostClaim: another worker has the job; nothing was undone.
        DriverError: the pieces of a failed try could not be removed; do the job again later.
    """
    try:
        await holding.unless_cancelled(_build(shop, holding))
    except (JobCancelled, PhaseConflict):
        await _stop(shop, holding)


async def _build(shop: Workshop, holding: Holding) -> None:
    async with shop.database.reading() as session:
        of_all_jobs = await attempts.of_cluster(session, holding.job.cluster_id)
    for earlier in of_all_jobs:
        if earlier.started_at < holding.job.created_at and not earlier.is_removed:
            # Of another job: this one tries again what that one did not bring about.
            await remove(shop, holding, earlier, outcome="lost")
    has_tried = False
    while not holding.is_decided:
        async with shop.database.reading() as session:
            cluster = await clusters.get_any(session, holding.job.cluster_id)
        if cluster is None or cluster.phase not in {Phase.PENDING, Phase.PROVISIONING}:
            if has_tried and cluster is not None and cluster.phase is Phase.READY:
                return
            raise JobCancelled
        known = await _attempts(shop, holding)
        attempt = known[-1] if known and known[-1].outcome is None else None
        lost = [each.outcome == "lost" for each in known[-MAX_LOST:]]
        if attempt is None and len(lost) == MAX_LOST and all(lost):
            await to_the_end(outcome.fail(shop, holding, None, LOST))
            continue
        has_tried = True
        try:
            await _try(shop, holding, cluster, attempt)
        except RunnerLost:
            lost_one = (await _attempts(shop, holding))[-1]
            log.warning("attempt_lost", attempt=str(lost_one.id))
            await outcome.tell(shop, holding, "what built the cluster was gone after a restart")
            await remove(shop, holding, lost_one, outcome="lost")
    await _clean_up(shop, holding, "failed")


async def _stop(shop: Workshop, holding: Holding) -> None:
    """Nobody wants the cluster any more: end what runs, and leave nothing that nobody removes."""
    for attempt in await _attempts(shop, holding):
        if attempt.outcome is None:
            await launch.stop(shop.directory(attempt), grace_seconds=shop.deadlines.grace)
    async with shop.database.reading() as session:
        cluster = await clusters.get_any(session, holding.job.cluster_id)
    if cluster is None or cluster.phase in {Phase.DELETING, Phase.DELETED}:
        # The delete job waits for this one and removes the pieces.
        await to_the_end(_close(shop, holding, "cancelled"))
    else:
        await _clean_up(shop, holding, "cancelled")


async def _clean_up(shop: Workshop, holding: Holding, result: str) -> None:
    """Remove what came to nothing, and close the job.

    The cluster's phase does not matter here: somebody may have asked for another try already.
    """
    for attempt in await _attempts(shop, holding):
        if attempt.outcome != "succeeded" and not attempt.is_removed:
            await remove(shop, holding, attempt, outcome=result)
    await to_the_end(_close(shop, holding, result))


async def _try(shop: Workshop, holding: Holding, cluster: Cluster, attempt: Attempt | None) -> None:
    """Begin a try or take one up; give back when the cluster is ready or failed."""
    if attempt is None:
        attempt = await outcome.begin(shop, holding)
        try:
            command = await shop.driver.prepare(shop.spec(cluster, attempt))
            await _still_held(shop, holding)
            runner = launch.start(
                shop.directory(attempt),
                command,
                spool_cap_bytes=SPOOL_PER_LOG * shop.log_cap_bytes,
            )
        except (DriverError, OSError) as error:
            why = error.explanation if isinstance(error, DriverError) else _host(error)
            await _fail(shop, holding, cluster, attempt, why)
            return
        shop.runners.add(runner)
        log.info("attempt_started", attempt=str(attempt.id), runner=runner)
    else:
        log.info("attempt_taken_up", attempt=str(attempt.id), offset=attempt.spool_offset)
    ended = await _record(shop, holding, cluster, attempt)
    if ended is not None:
        await _fail(shop, holding, cluster, attempt, ended.explanation)
        return
    await _open(shop, holding, cluster, attempt)


async def _fail(
    shop: Workshop,
    holding: Holding,
    cluster: Cluster,
    attempt: Attempt,
    why: Explanation | None,
    *,
    access_seconds: float | None = None,
) -> None:
    """Collect the evidence while the pieces are there, then say why it failed."""
    collected = await evidence.collect(shop, cluster, attempt)
    failing = outcome.fail(
        shop, holding, attempt, why, access_seconds=access_seconds, collected=collected
    )
    await to_the_end(failing)


async def _still_held(shop: Workshop, holding: Holding) -> None:
    """Look once more before a process starts: this server may have been frozen for a while."""
    async with shop.database.transaction() as session:
        await jobs.hold(session, holding.job)


class _Ended:
    """The command ended badly; without an explanation the log has to tell."""

    def __init__(self, explanation: Explanation | None = None) -> None:
        self.explanation = explanation


async def _record(
    shop: Workshop, holding: Holding, cluster: Cluster, attempt: Attempt
) -> _Ended | None:
    """Record to the end of the command. None: it ended well."""
    directory = shop.directory(attempt)
    recorder = Recorder(
        database=shop.database,
        job=holding.job,
        attempt=attempt,
        directory=directory,
        steps=plan_of(cluster),
        log_cap_bytes=shop.log_cap_bytes,
    )
    recording = asyncio.create_task(recorder.run())
    too_late: Explanation | None = None
    try:
        while not recording.done():
            await asyncio.wait({recording}, timeout=WATCH_SECONDS)
            if too_late is None and not recording.done():
                too_late = _overdue(shop, recorder)
                if too_late is not None:
                    await launch.stop(directory, grace_seconds=shop.deadlines.grace)
        ending = recording.result()
    except RunnerLost:
        if too_late is None:
            raise
        ending = "killed"
    finally:
        recording.cancel()
        await asyncio.wait({recording})
    if ending == "exit 0" and too_late is None:
        return None
    return _Ended(too_late)


def _overdue(shop: Workshop, recorder: Recorder) -> Explanation | None:
    since, limit = recorder.step_since, shop.deadlines.of(recorder.step)
    if recorder.step is None and time.monotonic() - since < shop.deadlines.between:
        since = recorder.heard_at
    if time.monotonic() - since < limit:
        return None
    what = f"the step {recorder.step.value}" if recorder.step else "the time between two steps"
    return Explanation(
        code="step_timeout",
        title="A step took too long",
        cause=f"{what} was not over after {limit:g} s, so the create was ended",
        fix="see whether the host has memory and CPU to spare and can reach its registry, "
        "then create again",
    )


async def _open(shop: Workshop, holding: Holding, cluster: Cluster, attempt: Attempt) -> None:
    """Verify that the cluster answers, and say that it is ready."""
    if cluster.progress is None or cluster.progress.step is not Step.ACCESS:
        await outcome.begin_access(shop, holding, cluster)
    began = time.monotonic()
    try:
        async with asyncio.timeout(shop.deadlines.finish):
            access = await shop.driver.finish(shop.spec(cluster, attempt))
    except (DriverError, TimeoutError) as error:
        why = error.explanation if isinstance(error, DriverError) else _no_answer(shop)
        seconds = time.monotonic() - began
        await _fail(shop, holding, cluster, attempt, why, access_seconds=seconds)
        return
    seconds = time.monotonic() - began
    usage = await usage_of(shop.driver, attempt.id)
    await to_the_end(outcome.succeed(shop, holding, attempt, access, seconds=seconds, usage=usage))
    # Should this server end before, the reconciler does it.
    await shop.driver.forget_access(shop.directory(attempt))


def _host(error: OSError) -> Explanation:
    return Explanation(
        code="host_error",
        title="The host could not begin the create",
        cause=": ".join(str(part) for part in (error.strerror or error, error.filename) if part),
        fix="see whether the disk of the server's data directory is full or closed to it",
    )


def _no_answer(shop: Workshop) -> Explanation:
    return Explanation(
        code="not_answering",
        title="The cluster does not answer",
        cause=f"the new cluster was not usable within {shop.deadlines.finish:g} s",
        fix="see whether the host is overloaded, then create again",
    )


async def _attempts(shop: Workshop, holding: Holding) -> list[Attempt]:
    async with shop.database.reading() as session:
        return await attempts.of_job(session, holding.job)


async def _close(shop: Workshop, holding: Holding, result: str) -> None:
    async with shop.database.transaction() as session:
        await jobs.finish(session, holding.job, result)
        for attempt in await attempts.of_job(session, holding.job):
            await attempts.finish(session, attempt.id, result)
