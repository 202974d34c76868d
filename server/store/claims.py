"""Who may take which piece of work; one claim at a time."""

from collections.abc import Collection
from functools import cache
from typing import Final, cast, get_args
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import aliased

from server.store.database import WriteSession
from server.store.jobs import ClaimedJob, JobKind, in_seconds
from server.store.tables import AttemptRow, JobRow

_TURNS: Final = ((JobRow.kind == "wake", 0), (JobRow.kind == "delete", 1))
_CLAIMS: Final = 0x70796B3A  # any constant of our own for pg_advisory_xact_lock


async def take_turn(session: WriteSession) -> None:
    """Let nobody else claim before this transaction ends.

    Two workers must not take two jobs of one cluster in the same moment, nor the last place twice.
    """
    await session.execute(select(func.pg_advisory_xact_lock(_CLAIMS)))


def is_fresh() -> ColumnElement[bool]:
    """Tell a create that nobody has begun: it needs a place, the others have theirs."""
    return and_(JobRow.kind == "create", JobRow.state == "queued", JobRow.tries == 0)


def claimable(host_id: BindParameter[UUID]) -> tuple[ColumnElement[bool], ...]:
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
    kinds: Collection[JobKind] = get_args(JobKind),
    fresh: UUID | None = None,
) -> ClaimedJob | None:
    """Take the oldest job that this host may do, wakes first, then deletes. None: there is none.

    Of the creates that nobody has begun only `fresh` is taken: the one that there is a place for.
    A job whose lease has run out may be taken again; it then gets a higher fence. The caller has
    taken its turn.
    """
    job_id = await session.scalar(
        _due(), {"kinds": list(kinds), "fresh": fresh, "host_id": host_id}
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
                lease_until=in_seconds(lease_seconds),
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
        kind=cast("JobKind", row.kind),
        fence=row.fence,
        tries=row.tries,
        cancel_requested=row.cancel_requested_at is not None,
        created_at=row.created_at,
        outcome=row.outcome,
        reason=row.reason,
    )


@cache
def _due() -> Select[UUID]:
    """Make the statement, once: a worker asks at every hint, and making costs more than asking."""
    is_fresh_one = JobRow.id == bindparam("fresh", type_=Uuid())
    return (
        select(JobRow.id)
        .where(
            JobRow.kind.in_(bindparam("kinds", expanding=True)),
            or_(~is_fresh(), is_fresh_one),
            *claimable(bindparam("host_id", type_=Uuid())),
        )
        .order_by(case(*_TURNS, else_=len(_TURNS)), JobRow.created_at)
        .limit(1)
        .with_for_update(skip_locked=True, of=JobRow)
    )
