"""The tries at creating a cluster: where they live and how far their output is recorded."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, cast, func, or_, select, update

from server.errors import LostClaim, RecordedFurther
from server.store import log_chunks
from server.store.database import ReadSession, WriteSession
from server.store.jobs import ClaimedJob
from server.store.tables import AttemptRow, ClusterRow, JobRow

CAPS_PER_HOUR: Final = 4
"""So many clusters' worth of log one user's creates may keep within an hour."""
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at creating a cluster."""

    id: UUID
    cluster_id: UUID
    number: int
    host_id: UUID
    driver: str
    spool_offset: int
    """Up to this byte the spool is in the event log."""
    recorder_state: dict[str, Any]
    """What the recorder needs to go on at `spool_offset`."""
    outcome: str | None
    started_at: datetime
    is_removed: bool

    @property
    def kind_name(self) -> str:
        """The name of this attempt's cluster, never used again."""
        return f"pyk8s-{self.id.hex}"


async def start(
    session: WriteSession,
    cluster_id: UUID,
    *,
    host_id: UUID,
    driver: str,
    attempt_id: UUID,
    log_cap_bytes: int,
) -> Attempt:
    """Write down that a try begins, before anything of it exists, and how much log it may keep.

    `log_cap_bytes` is what the cluster may keep in all. A try gets half of what is left, so that
    the next one has a log too. What the owner's clusters log in an hour is bounded as well: a
    deleted cluster's log stays for a while.
    """
    of_cluster, of_owner = await _logged(session, cluster_id, log_cap_bytes)
    share = min((log_cap_bytes - of_cluster) // 2, CAPS_PER_HOUR * log_cap_bytes - of_owner)
    number = (
        select(func.coalesce(func.max(AttemptRow.number), 0) + 1)
        .where(AttemptRow.cluster_id == cluster_id)
        .scalar_subquery()
    )
    row = AttemptRow(
        id=attempt_id,
        cluster_id=cluster_id,
        number=number,
        host_id=host_id,
        driver=driver,
        recorder_state={"cap": max(0, share)},
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return _attempt(row)


async def _logged(session: ReadSession, cluster_id: UUID, log_cap_bytes: int) -> tuple[int, int]:
    """Return the bytes that tries have kept: of a cluster, and of its owner within an hour."""
    cap = func.coalesce(cast(AttemptRow.recorder_state["cap"].astext, BigInteger), log_cap_bytes)
    logged = func.coalesce(cast(AttemptRow.recorder_state["logged"].astext, BigInteger), 0)
    kept = func.coalesce(func.sum(func.least(logged, cap)), 0)
    of_cluster = await session.scalar(select(kept).where(AttemptRow.cluster_id == cluster_id))
    owner = select(ClusterRow.owner_id).where(ClusterRow.id == cluster_id).scalar_subquery()
    of_owner = await session.scalar(
        select(kept)
        .join(ClusterRow, ClusterRow.id == AttemptRow.cluster_id)
        .where(ClusterRow.owner_id == owner, AttemptRow.started_at > func.now() - HOUR)
    )
    return int(of_cluster or 0), int(of_owner or 0)


async def unfinished(session: ReadSession, cluster_id: UUID) -> Attempt | None:
    """Give the newest try that has neither succeeded nor failed."""
    row = await session.scalar(
        select(AttemptRow)
        .where(AttemptRow.cluster_id == cluster_id, AttemptRow.outcome.is_(None))
        .order_by(AttemptRow.number.desc())
        .limit(1)
    )
    return _attempt(row) if row is not None else None


async def of_cluster(session: ReadSession, cluster_id: UUID) -> list[Attempt]:
    """Give every try, the first one first."""
    rows = await session.scalars(
        select(AttemptRow).where(AttemptRow.cluster_id == cluster_id).order_by(AttemptRow.number)
    )
    return [_attempt(row) for row in rows]


async def of_job(session: ReadSession, job: ClaimedJob) -> list[Attempt]:
    """Give the tries of one create job, the first one first; a retry is a job of its own."""
    following = (
        select(func.min(JobRow.created_at))
        .where(
            JobRow.cluster_id == job.cluster_id,
            JobRow.kind == "create",
            JobRow.created_at > job.created_at,
        )
        .scalar_subquery()
    )
    rows = await session.scalars(
        select(AttemptRow)
        .where(
            AttemptRow.cluster_id == job.cluster_id,
            AttemptRow.started_at >= job.created_at,
            or_(following.is_(None), AttemptRow.started_at < following),
        )
        .order_by(AttemptRow.number)
    )
    return [_attempt(row) for row in rows]


async def advance(
    session: WriteSession,
    job: ClaimedJob,
    attempt_id: UUID,
    *,
    known: int,
    offset: int,
    recorder_state: dict[str, Any],
) -> None:
    """Note how far the spool is recorded, and hold the job until this transaction ends.

    `known`: how far it was, as far as the caller knows.

    Raises:
        LostClaim: another worker has the job.
        RecordedFurther: it was further.
    """
    held = (
        select(JobRow.cluster_id)
        .where(JobRow.id == job.id, JobRow.fence == job.fence, JobRow.state == "running")
        .with_for_update(read=True)
        .subquery("held")
    )
    before = await session.scalar(
        select(AttemptRow.spool_offset)
        .where(AttemptRow.id == attempt_id, AttemptRow.cluster_id == held.c.cluster_id)
        .with_for_update(of=AttemptRow)
    )
    if before is None:
        raise LostClaim(f"the {job.kind} job {job.id} is held by another worker")
    if before != known:
        raise RecordedFurther(f"the spool is recorded up to {before}, not {known}")
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id)
        .values(spool_offset=offset, recorder_state=recorder_state)
        .execution_options(synchronize_session=False)
    )


async def finish(session: WriteSession, attempt_id: UUID, outcome: str) -> None:
    """Note how a try ended: `succeeded`, `failed`, `cancelled` or `lost`. Its log is packed."""
    cluster_id = await session.scalar(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id, AttemptRow.outcome.is_(None))
        .values(outcome=outcome, finished_at=func.now())
        .returning(AttemptRow.cluster_id)
        .execution_options(synchronize_session=False)
    )
    if cluster_id is not None:
        await log_chunks.pack(session, cluster_id)


async def give_up(session: WriteSession, attempt_id: UUID) -> None:
    """Note that what was made well once turned out to be bad; its pieces are removed later."""
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id)
        .values(outcome="lost", finished_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def mark_removed(session: WriteSession, attempt_id: UUID) -> None:
    """Note that nothing of a try is left on its host."""
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id)
        .values(removed_at=func.coalesce(AttemptRow.removed_at, func.now()))
        .execution_options(synchronize_session=False)
    )


def _attempt(row: AttemptRow) -> Attempt:
    return Attempt(
        id=row.id,
        cluster_id=row.cluster_id,
        number=row.number,
        host_id=row.host_id,
        driver=row.driver,
        spool_offset=row.spool_offset,
        recorder_state=row.recorder_state,
        outcome=row.outcome,
        started_at=row.started_at,
        is_removed=row.removed_at is not None,
    )
