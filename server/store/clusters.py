"""Clusters: asking for one, and reading snapshots. Changes go through `event_log`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from pyk8s.wire.cluster import MAX_TTL_SECONDS, USABLE, Cluster, Phase
from pyk8s.wire.facts import Created, EventData
from server.errors import NotFound
from server.store import cursors, event_log
from server.store.cluster_rows import snapshot_of
from server.store.database import ReadSession, WriteSession
from server.store.tables import ClusterRow, Installation, UserRow


@dataclass(frozen=True, slots=True)
class NewCluster:
    """A request with every choice made."""

    id: UUID
    name: str
    template: str
    kubernetes_version: str
    control_planes: int
    workers: int
    ttl_seconds: int
    labels: Mapping[str, str]
    driver: str


async def epoch(session: ReadSession) -> UUID:
    """Give the identity of this database's event log."""
    return (await session.execute(select(Installation.epoch))).scalar_one()


async def add(
    session: WriteSession, owner_id: UUID, new: NewCluster, *, then: Sequence[EventData] = ()
) -> Cluster | None:
    """Write down that somebody asked for a cluster. None: they have a living one of this name.

    `then`: what else happens to it in the same moment.
    """
    row = await session.scalar(
        insert(ClusterRow)
        .values(
            id=new.id,
            owner_id=owner_id,
            name=new.name,
            template=new.template,
            kubernetes_version=new.kubernetes_version,
            control_planes=new.control_planes,
            workers=new.workers,
            labels=dict(new.labels),
            driver=new.driver,
            phase=Phase.PENDING.value,
            conditions=[],
            ttl_seconds=new.ttl_seconds,
            created_at=func.clock_timestamp(),
        )
        .on_conflict_do_nothing(
            index_elements=[ClusterRow.owner_id, ClusterRow.name],
            index_where=ClusterRow.deleted_at.is_(None),
        )
        .returning(ClusterRow)
    )
    if row is None:
        return None
    owner = (
        await session.execute(select(UserRow.username).where(UserRow.id == owner_id))
    ).scalar_one()
    first = snapshot_of(row, owner=owner, epoch=await epoch(session))
    first = first.model_copy(update={"last_seq": 1})
    facts = [Created(cluster=first), *then]
    await event_log.append(session, new.id, [event_log.Draft(fact) for fact in facts])
    return first


def _snapshots() -> Select[ClusterRow, str, UUID]:
    of_epoch = select(Installation.epoch).scalar_subquery()
    return select(ClusterRow, UserRow.username, of_epoch).join(
        UserRow, UserRow.id == ClusterRow.owner_id
    )


def _cluster(found: Sequence[Any]) -> Cluster:
    row, owner, of_epoch = found
    return snapshot_of(row, owner=owner, epoch=of_epoch)


async def get(session: ReadSession, owner_id: UUID, id_or_name: UUID | str) -> Cluster | None:
    """Give the snapshot of one of the owner's clusters; by name only a living one."""
    query = _snapshots().where(ClusterRow.owner_id == owner_id)
    if isinstance(id_or_name, UUID):
        query = query.where(ClusterRow.id == id_or_name)
    else:
        query = query.where(ClusterRow.name == id_or_name, ClusterRow.deleted_at.is_(None))
    found = (await session.execute(query)).one_or_none()
    return _cluster(found) if found is not None else None


async def get_any(session: ReadSession, cluster_id: UUID) -> Cluster | None:
    """Give a snapshot whoever owns it: for the provisioner and the controllers, never for REST."""
    found = (await session.execute(_snapshots().where(ClusterRow.id == cluster_id))).one_or_none()
    return _cluster(found) if found is not None else None


async def lock(session: WriteSession, cluster_id: UUID) -> Cluster:
    """Give a snapshot that nobody else changes before this transaction ends.

    Raises:
        NotFound: there is no such cluster.
    """
    query = _snapshots().where(ClusterRow.id == cluster_id).with_for_update(of=ClusterRow)
    found = (
        await session.execute(query, execution_options={"populate_existing": True})
    ).one_or_none()
    if found is None:
        raise NotFound("there is no such cluster", fix="see the list of clusters")
    return _cluster(found)


@dataclass(frozen=True, slots=True)
class Page:
    """Some clusters, and where the next ones begin."""

    items: list[Cluster]
    next_cursor: str | None


async def list_of(
    session: ReadSession,
    owner_id: UUID,
    *,
    phases: Collection[Phase] = (),
    labels: Mapping[str, str] | None = None,
    include_deleted: bool = False,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """List the owner's clusters, newest first.

    Raises:
        ValidationFailed: the cursor is none of ours.
    """
    query = _snapshots().where(ClusterRow.owner_id == owner_id)
    if phases:
        query = query.where(ClusterRow.phase.in_([phase.value for phase in phases]))
    elif not include_deleted:
        query = query.where(ClusterRow.deleted_at.is_(None))
    if labels:
        query = query.where(ClusterRow.labels.contains(dict(labels)))
    if cursor is not None:
        query = query.where(
            tuple_(ClusterRow.created_at, ClusterRow.id) < tuple_(*cursors.decode(cursor))
        )
    query = query.order_by(ClusterRow.created_at.desc(), ClusterRow.id.desc()).limit(limit + 1)
    items = [_cluster(found) for found in await session.execute(query)]
    return Page(*cursors.page_of(items, limit))


async def count_living(session: ReadSession, owner_id: UUID | None = None) -> int:
    """Count the clusters that exist or are about to, of one owner or of all."""
    query = select(func.count()).where(ClusterRow.deleted_at.is_(None))
    if owner_id is not None:
        query = query.where(ClusterRow.owner_id == owner_id)
    return (await session.execute(query)).scalar_one()


async def lock_owner(session: WriteSession, owner_id: UUID) -> None:
    """Lock an owner's row until the transaction ends: their commands that count run in turn.

    The lock is FOR NO KEY UPDATE, so that others may go on to insert rows that refer to the user.
    """
    await session.execute(
        select(UserRow.id).where(UserRow.id == owner_id).with_for_update(key_share=True)
    )


async def claim_lease_warning(session: WriteSession, *, seconds: int) -> list[UUID]:
    """Take the clusters that have fewer than so many seconds left and were not warned of it.

    Whoever takes one writes the event in the same transaction, so each is warned of once. One
    whose whole lease is no longer than that needs no warning.
    """
    rows = await session.scalars(
        update(ClusterRow)
        .where(
            ClusterRow.deleted_at.is_(None),
            ClusterRow.phase.in_(USABLE),
            ClusterRow.expires_at > func.now(),
            ClusterRow.expires_at < func.now() + timedelta(seconds=seconds),
            ClusterRow.ttl_seconds > seconds,
            func.coalesce(ClusterRow.lease_warned_seconds, MAX_TTL_SECONDS) > seconds,
        )
        .values(lease_warned_seconds=seconds)
        .returning(ClusterRow.id)
        .execution_options(synchronize_session=False)
    )
    return list(rows)


async def forget_lease_warning(session: WriteSession, cluster_id: UUID) -> None:
    """Let the end of the lease be warned of again: it was moved."""
    await session.execute(
        update(ClusterRow).where(ClusterRow.id == cluster_id).values(lease_warned_seconds=None)
    )


async def has_ends_within(session: ReadSession, seconds: int) -> bool:
    """Tell whether a lease is over, or will be in so many seconds."""
    ending = select(ClusterRow.id).where(
        ClusterRow.deleted_at.is_(None),
        ClusterRow.expires_at < func.now() + timedelta(seconds=seconds),
        ClusterRow.phase.in_(USABLE),
    )
    return bool(await session.scalar(select(ending.exists())))


async def expired(session: ReadSession, limit: int) -> list[tuple[UUID, UUID]]:
    """List (cluster, owner) whose lease is over by the database's clock."""
    rows = await session.execute(
        select(ClusterRow.id, ClusterRow.owner_id)
        .where(
            ClusterRow.deleted_at.is_(None),
            ClusterRow.expires_at < func.now(),
            ClusterRow.phase.in_(USABLE),
        )
        .order_by(ClusterRow.expires_at)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows]
