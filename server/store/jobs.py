"""The queue of work for the provisioners: who holds which piece, and until when.

Whoever writes on behalf of a job locks the row of the cluster first (`event_log.append`) and that
of the job after it: the commands do so too, and two orders would be a deadlock.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select, text, update
from sqlalchemy.orm import aliased

from server.errors import LostClaim
from server.store.database import WriteSession
from server.store.hints import JOBS_CHANNEL
from server.store.tables import AttemptRow, JobRow

JobKind = Literal["create", "delete"]
_CLAIMS: Final = 0x70796B3A  # any constant of our own for pg_advisory_xact_lock


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


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What its holder learns."""

    cancel_requested: bool


async def enqueue(session: WriteSession, cluster_id: UUID, kind: JobKind, *, job_id: UUID) -> None:
    """Add work; the provisioners are told when the transaction commits."""
    session.add(JobRow(id=job_id, cluster_id=cluster_id, kind=kind))
    await session.flush()
    await _hint(session)


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


async def take_turn(session: WriteSession) -> None:
    """Let nobody else claim before this transaction ends.

    Two workers must not take two jobs of one cluster in the same moment, nor the last place twice.
    """
    await session.execute(select(func.pg_advisory_xact_lock(_CLAIMS)))


def is_fresh() -> ColumnElement[bool]:
    """Tell a create that nobody has begun: it needs a place, the others have theirs."""
    return and_(JobRow.kind == "create", JobRow.state == "queued", JobRow.tries == 0)


def claimable(host_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """Tell the jobs that this host may do now.

    A cluster has one running job at a time, and what lives on another host is left to that host.
    """
    other = aliased(JobRow)
    busy = (
        select(other.id)
        .where(
            other.cluster_id == JobRow.cluster_id,
            other.id != JobRow.id,
            other.state == "running",
            other.lease_until >= func.now(),
        )
        .exists()
    )
    elsewhere = (
        select(AttemptRow.id)
        .where(
            AttemptRow.cluster_id == JobRow.cluster_id,
            AttemptRow.removed_at.is_(None),
            AttemptRow.host_id != host_id,
        )
        .exists()
    )
    return (
        JobRow.run_after <= func.now(),
        or_(
            JobRow.state == "queued",
            and_(JobRow.state == "running", JobRow.lease_until < func.now()),
        ),
        ~busy,
        ~elsewhere,
    )


async def claim(
    session: WriteSession,
    *,
    host_id: UUID,
    worker: str,
    lease_seconds: float,
    kinds: Collection[JobKind] = ("create", "delete"),
    fresh: UUID | None = None,
) -> ClaimedJob | None:
    """Take the oldest job that this host may do, deletes first. None: there is none.

    Of the creates that nobody has begun only `fresh` is taken: the one that there is a place for.
    A job whose lease has run out may be taken again; it then gets a higher fence. The caller has
    taken its turn.
    """
    job_id = await session.scalar(
        select(JobRow.id)
        .where(JobRow.kind.in_(kinds), or_(~is_fresh(), JobRow.id == fresh), *claimable(host_id))
        .order_by(case((JobRow.kind == "delete", 0), else_=1), JobRow.created_at)
        .limit(1)
        .with_for_update(skip_locked=True, of=JobRow)
    )
    if job_id is None:
        return None
    row = (
        await session.execute(
            update(JobRow)
            .where(JobRow.id == job_id)
            .values(
                state="running",
                host_id=host_id,
                claimed_by=worker,
                lease_until=_in(lease_seconds),
                fence=JobRow.fence + 1,
                tries=JobRow.tries + 1,
            )
            .returning(JobRow)
            .execution_options(synchronize_session=False)
        )
    ).scalar_one()
    return ClaimedJob(
        id=row.id,
        cluster_id=row.cluster_id,
        kind="create" if row.kind == "create" else "delete",
        fence=row.fence,
        tries=row.tries,
        cancel_requested=row.cancel_requested_at is not None,
        created_at=row.created_at,
        outcome=row.outcome,
    )


async def renew(session: WriteSession, job: ClaimedJob, *, lease_seconds: float) -> JobStatus:
    """Keep the job for another while, and learn whether somebody wants it to stop.

    Raises:
        LostClaim: another worker has it.
    """
    rows = await session.execute(
        update(JobRow)
        .where(*_held(job))
        .values(lease_until=_in(lease_seconds))
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
    await _change(session, job, state="queued", lease_until=None, run_after=_in(seconds))


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


def _in(seconds: float) -> ColumnElement[datetime]:
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


async def _hint(session: WriteSession) -> None:
    await session.execute(select(func.pg_notify(JOBS_CHANNEL, "")))


def _lost(job: ClaimedJob) -> LostClaim:
    return LostClaim(f"the {job.kind} job {job.id} is held by another worker")
