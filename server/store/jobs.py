"""The queue of work for the provisioners: who holds which piece, and until when.

Whoever writes on behalf of a job locks the row of the cluster first (`event_log.append`) and that
of the job after it: the commands do so too, and two orders would be a deadlock.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    func,
    select,
    text,
    update,
)

from server.errors import LostClaim
from server.store.database import ReadSession, WriteSession
from server.store.hints import JOBS_CHANNEL
from server.store.tables import ClusterRow, JobRow

JobKind = Literal["create", "delete", "pause", "wake"]


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A piece of work that this worker holds, as long as `fence` is the job's."""

    id: UUID
    cluster_id: UUID
    kind: JobKind
    fence: int
    tries: int
    cancel_requested: bool
    created_at: datetime
    outcome: str | None
    """What came of it; only what it left is still to be removed."""
    reason: str | None
    """Why it is wanted, for the event that tells of it."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What its holder learns."""

    cancel_requested: bool


async def enqueue(
    session: WriteSession,
    cluster_id: UUID,
    kind: JobKind,
    *,
    job_id: UUID,
    reason: str | None = None,
) -> None:
    """Add work; the provisioners are told when the transaction commits."""
    session.add(JobRow(id=job_id, cluster_id=cluster_id, kind=kind, reason=reason))
    await session.flush()
    await _hint(session)


def has_open(*kinds: JobKind) -> ColumnElement[bool]:
    """Tell of a `ClusterRow` in a query whether it has open work, of any kind or of these."""
    of_kinds = (JobRow.kind.in_(kinds),) if kinds else ()
    open_jobs = select(JobRow.id).where(
        JobRow.cluster_id == ClusterRow.id, JobRow.state != "done", *of_kinds
    )
    return open_jobs.exists()


async def is_open(session: ReadSession, cluster_id: UUID, *kinds: JobKind) -> bool:
    """Tell whether work is waiting or going on, of any kind or of these."""
    of_kinds = (JobRow.kind.in_(kinds),) if kinds else ()
    query = select(JobRow.id).where(
        JobRow.cluster_id == cluster_id, JobRow.state != "done", *of_kinds
    )
    return await session.scalar(query.limit(1)) is not None


async def count_creates(session: ReadSession, cluster_id: UUID) -> int:
    """Count how often the create of a cluster was asked for."""
    asked = select(func.count()).where(JobRow.cluster_id == cluster_id, JobRow.kind == "create")
    return (await session.execute(asked)).scalar_one()


async def request_cancel(
    session: WriteSession, cluster_id: UUID, *, leaves_pieces: bool = False
) -> None:
    """Ask that creating stops. What nobody has begun yet is over at once.

    So is what waits for another try, unless nobody else would remove its pieces (`leaves_pieces`):
    then it is to be taken up now.
    """
    open_creates = and_(
        JobRow.cluster_id == cluster_id, JobRow.kind == "create", JobRow.state != "done"
    )
    queued = JobRow.state == "queued"
    if leaves_pieces:
        queued = and_(queued, JobRow.tries == 0)
    await session.execute(
        update(JobRow)
        .where(open_creates)
        .values(
            cancel_requested_at=func.coalesce(JobRow.cancel_requested_at, func.now()),
            state=case((queued, "done"), else_=JobRow.state),
            outcome=case((queued, "cancelled"), else_=JobRow.outcome),
            finished_at=case((queued, func.now()), else_=JobRow.finished_at),
            run_after=func.least(JobRow.run_after, func.now()),
        )
        .execution_options(synchronize_session=False)
    )
    await _hint(session)


async def drop_queued(session: WriteSession, cluster_id: UUID) -> None:
    """Give up what nobody has begun yet: what it is about is gone."""
    await session.execute(
        update(JobRow)
        .where(JobRow.cluster_id == cluster_id, JobRow.state == "queued")
        .values(state="done", outcome="cancelled", finished_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def renew(session: WriteSession, job: ClaimedJob, *, lease_seconds: float) -> JobStatus:
    """Keep the job for another while, and learn whether somebody wants it to stop.

    Raises:
        LostClaim: another worker has it.
    """
    rows = await session.execute(
        update(JobRow)
        .where(*_held(job))
        .values(lease_until=in_seconds(lease_seconds))
        .returning(JobRow.cancel_requested_at)
    )
    found = rows.one_or_none()
    if found is None:
        ours = select(JobRow.id).where(JobRow.id == job.id, JobRow.fence == job.fence)
        if await session.scalar(ours) is None:
            raise _lost(job)
        return JobStatus(cancel_requested=False)  # we have closed it ourselves
    return JobStatus(cancel_requested=found[0] is not None)


async def hold(session: WriteSession, job: ClaimedJob) -> JobStatus:
    """Make sure that the job is held until this transaction ends.

    Raises:
        LostClaim: another worker has it.
    """
    query = select(JobRow.cancel_requested_at).where(*_held(job)).with_for_update(read=True)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise _lost(job)
    return JobStatus(cancel_requested=found[0] is not None)


async def decide(session: WriteSession, job: ClaimedJob, outcome: str) -> None:
    """Note what came of the job; it stays open until what it left is removed.

    Raises:
        LostClaim: another worker has it.
    """
    await _change(session, job, outcome=outcome)


async def finish(session: WriteSession, job: ClaimedJob, outcome: str) -> None:
    """Close the job.

    Raises:
        LostClaim: another worker has it.
    """
    await _change(session, job, state="done", outcome=outcome, finished_at=func.now())
    await _hint(session)  # another job of this cluster may have waited for it


async def postpone(session: WriteSession, job: ClaimedJob, *, seconds: float) -> None:
    """Put the job back into the queue, not to be taken before so many seconds.

    Raises:
        LostClaim: another worker has it.
    """
    await _change(session, job, state="queued", lease_until=None, run_after=in_seconds(seconds))


async def let_go(session: WriteSession, job: ClaimedJob) -> None:
    """End the lease now, so that the next worker need not wait for it. Never raises LostClaim."""
    await session.execute(update(JobRow).where(*_held(job)).values(lease_until=func.now()))


async def let_go_of_all(session: WriteSession, *, worker: str) -> int:
    """End the leases of a worker that is known to be dead. Gives how many there were."""
    rows = await session.execute(
        update(JobRow)
        .where(JobRow.state == "running", JobRow.claimed_by == worker)
        .values(lease_until=text("now() - interval '1 millisecond'"))
        .returning(JobRow.id)
    )
    return len(rows.all())


def _held(job: ClaimedJob) -> tuple[ColumnElement[bool], ...]:
    return (JobRow.id == job.id, JobRow.fence == job.fence, JobRow.state == "running")


async def _change(session: WriteSession, job: ClaimedJob, **values: object) -> None:
    rows = await session.execute(
        update(JobRow).where(*_held(job)).values(**values).returning(JobRow.id)
    )
    if rows.one_or_none() is None:
        raise _lost(job)


def in_seconds(seconds: float) -> ColumnElement[datetime]:
    """Give the time so many seconds from now, by the database's clock."""
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def _hint(session: WriteSession) -> None:
    await session.execute(select(func.pg_notify(JOBS_CHANNEL, "")))


def _lost(job: ClaimedJob) -> LostClaim:
    return LostClaim(f"the {job.kind} job {job.id} is held by another worker")
