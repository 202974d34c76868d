"""Clusters that are built before somebody asks: a hidden account owns them until then."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from pyk8s.wire.cluster import USABLE, Condition, Phase
from pyk8s.wire.facts import EventData, PhaseChanged
from server.store import event_log, jobs
from server.store.access_tables import AccessRow
from server.store.database import ReadSession, WriteSession
from server.store.event_log import Draft
from server.store.tables import POOL, AttemptRow, ClusterRow, JobRow, PoolSizeRow

OWNER: Final = POOL
"""The hidden account."""
SETTLING: Final = timedelta(seconds=30)
"""CoreDNS and the provisioner of volumes are up some 20 s after the node is Ready."""
_WELL: Final = frozenset({"Provisioned", "NodesRunning", "Paused", "Resumed"})
"""Reasons of the condition Ready when nothing is wrong with a cluster."""


@dataclass(frozen=True, slots=True)
class Member:
    """A prebuilt cluster, or one that is about to be."""

    cluster_id: UUID
    template: str
    kubernetes_version: str
    phase: Phase
    is_well: bool
    is_changing: bool
    """Something is being done with it."""
    has_settled: bool
    """It has been ready for so long that all which begins with a cluster has begun."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a cluster has to be like to stand for one that somebody asks for."""

    template: str
    kubernetes_version: str
    control_planes: int
    workers: int
    driver: str


async def members(session: ReadSession) -> list[Member]:
    """List what there is, the oldest first."""
    settled = ClusterRow.ready_at < func.now() - SETTLING
    rows = await session.execute(
        select(ClusterRow, jobs.has_open(), func.coalesce(settled, text("false")))
        .where(ClusterRow.owner_id == OWNER, ClusterRow.deleted_at.is_(None))
        .order_by(ClusterRow.created_at)
    )
    return [_member(*found) for found in rows]


async def take(session: WriteSession, wanted: Wanted) -> UUID | None:
    """Lock a prebuilt cluster that nobody else takes meanwhile; one that is awake comes first.

    None: there is none. Only the one that is taken is locked: others may take the others.
    """
    fitting = (
        select(ClusterRow)
        .where(
            ClusterRow.owner_id == OWNER,
            ClusterRow.phase.in_(USABLE),
            ClusterRow.template == wanted.template,
            ClusterRow.kubernetes_version == wanted.kubernetes_version,
            ClusterRow.control_planes == wanted.control_planes,
            ClusterRow.workers == wanted.workers,
            ClusterRow.driver == wanted.driver,
            ~jobs.has_open("create", "delete"),
            select(AccessRow.cluster_id).where(AccessRow.cluster_id == ClusterRow.id).exists(),
        )
        .execution_options(populate_existing=True)
    )
    ordered = fitting.order_by(ClusterRow.phase.desc(), ClusterRow.ready_at)
    for member_id in [row.id for row in await session.scalars(ordered) if _is_well(row)]:
        locking = fitting.where(ClusterRow.id == member_id).with_for_update(skip_locked=True)
        row = await session.scalar(locking)
        if row is None or not _is_well(row):
            continue
        # Asked once the row is ours: what begins to freeze it from now on sees that it is gone.
        freezing = select(JobRow.id).where(
            JobRow.cluster_id == member_id, JobRow.kind == "pause", JobRow.state == "running"
        )
        if await session.scalar(freezing.limit(1)) is None:
            return member_id
    return None


async def hand_over(session: WriteSession, member_id: UUID, to: UUID) -> None:
    """Make what a locked member is of another cluster's; nothing is left of the member.

    The attempt goes on under its own name, with all its pieces.
    """
    number = (
        select(func.coalesce(func.max(AttemptRow.number), 0) + 1)
        .where(AttemptRow.cluster_id == to)
        .scalar_subquery()
    )
    attempt_id = (
        await session.execute(select(AccessRow.attempt_id).where(AccessRow.cluster_id == member_id))
    ).scalar_one()
    await session.execute(
        update(AttemptRow)
        .where(AttemptRow.id == attempt_id)
        .values(cluster_id=to, number=number)
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(AccessRow)
        .where(AccessRow.cluster_id == member_id)
        .values(cluster_id=to)
        .execution_options(synchronize_session=False)
    )
    query = select(ClusterRow.phase).where(ClusterRow.id == member_id)
    phase = (await session.execute(query)).scalar_one()
    await jobs.drop_queued(session, member_id)
    gone: list[EventData] = [
        PhaseChanged(from_=Phase(phase), to=Phase.DELETING, reason="ClaimedFromPool"),
        PhaseChanged(from_=Phase.DELETING, to=Phase.DELETED, reason="ClaimedFromPool"),
    ]
    await event_log.append(session, member_id, [Draft(fact) for fact in gone])


async def failures_since_success(session: ReadSession, template: str) -> tuple[int, float]:
    """Count the creates that failed since one was well, and tell how long ago the last did.

    In seconds; both 0 when none did. What is older than a day is forgotten.
    """
    mine = (
        ClusterRow.owner_id == OWNER,
        ClusterRow.template == template,
        ClusterRow.created_at > func.now() - timedelta(days=1),
    )
    last_ready = select(func.max(ClusterRow.ready_at)).where(*mine).scalar_subquery()
    row = (
        await session.execute(
            select(
                func.count(),
                func.extract("epoch", func.now() - func.max(ClusterRow.created_at)),
            ).where(
                *mine,
                ClusterRow.failure.is_not(None),
                func.coalesce(ClusterRow.created_at > last_ready, text("true")),
            )
        )
    ).one()
    return int(row[0]), float(row[1] or 0.0)


async def people_wait(session: ReadSession) -> bool:
    """Tell whether a person's create is waiting or going on."""
    query = (
        select(JobRow.id)
        .join(ClusterRow, ClusterRow.id == JobRow.cluster_id)
        .where(JobRow.kind == "create", JobRow.state != "done", ClusterRow.owner_id != OWNER)
        .limit(1)
    )
    return await session.scalar(query) is not None


async def sizes(session: ReadSession) -> dict[str, int]:
    """Give the sizes that administrators have set while a server ran, by template."""
    rows = await session.execute(select(PoolSizeRow.template, PoolSizeRow.size))
    return {row[0]: row[1] for row in rows}


async def set_size(session: WriteSession, template: str, size: int) -> None:
    """Set a size; it stays over restarts."""
    statement = insert(PoolSizeRow).values(template=template, size=size)
    await session.execute(
        statement.on_conflict_do_update(index_elements=[PoolSizeRow.template], set_={"size": size})
    )


def ready_of(found: Collection[Member], template: str) -> list[Member]:
    """Give those that somebody could take now."""
    return [
        each
        for each in found
        if each.template == template and each.phase in USABLE and each.is_well
    ]


def _member(row: ClusterRow, is_changing: bool, has_settled: bool) -> Member:
    return Member(
        cluster_id=row.id,
        template=row.template,
        kubernetes_version=row.kubernetes_version,
        phase=Phase(row.phase),
        is_well=_is_well(row),
        is_changing=is_changing,
        has_settled=has_settled,
        created_at=row.created_at,
    )


def _is_well(row: ClusterRow) -> bool:
    conditions = [Condition.model_validate(each) for each in row.conditions]
    return all(each.reason in _WELL for each in conditions if each.type == "Ready")
