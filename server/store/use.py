"""When clusters were used last, so that those nobody uses can rest."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, and_, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from pyk8s.wire.access import Endpoint
from pyk8s.wire.cluster import Phase
from server.store import jobs
from server.store.access_tables import CredentialRow, UseRow
from server.store.database import ReadSession, WriteSession
from server.store.tables import POOL, ClusterRow

STOPPED: Final = "Stopped"
"""The reason of the condition `Ready` of a cluster that has given its memory back."""


@dataclass(frozen=True, slots=True)
class LastUse:
    """How long a cluster has been left alone."""

    used_at: datetime
    """When somebody used it last, or when it became ready."""
    has_direct: bool
    """Somebody may be using it past this server, with a certificate of their own."""


async def note(session: WriteSession, cluster_ids: Collection[UUID]) -> None:
    """Write down that clusters are being used now."""
    if cluster_ids:
        now = func.clock_timestamp()
        rows = [{"cluster_id": each, "used_at": now} for each in sorted(cluster_ids)]
        await session.execute(
            insert(UseRow)
            .values(rows)
            .on_conflict_do_update(index_elements=[UseRow.cluster_id], set_={"used_at": now})
        )


async def last(session: ReadSession, cluster_id: UUID) -> LastUse | None:
    """Tell when a cluster was used last. None: it has never been ready."""
    found = (
        await session.execute(
            select(_used_at(), _has_direct())
            .select_from(ClusterRow)
            .outerjoin(UseRow, UseRow.cluster_id == ClusterRow.id)
            .where(ClusterRow.id == cluster_id, ClusterRow.ready_at.is_not(None))
        )
    ).one_or_none()
    return LastUse(found[0], found[1]) if found is not None else None


async def used_since(session: ReadSession, cluster_id: UUID, at: datetime) -> bool:
    """Tell whether somebody has used a cluster after a time."""
    found = await last(session, cluster_id)
    return found is not None and (found.used_at > at or found.has_direct)


async def left_alone(
    session: ReadSession, *, for_seconds: int, limit: int
) -> list[tuple[UUID, UUID]]:
    """List (cluster, owner) that nobody has used for so long. The pool looks after its own."""
    is_seen = (ClusterRow.phase == Phase.READY.value, ~_has_direct())
    return await _unused(session, for_seconds, limit, *is_seen)


async def asleep(session: ReadSession, *, for_seconds: int, limit: int) -> list[tuple[UUID, UUID]]:
    """List (cluster, owner) that are paused, not stopped, and were used so long ago."""
    is_frozen = (ClusterRow.phase == Phase.PAUSED.value, ~is_stopped())
    return await _unused(session, for_seconds, limit, *is_frozen)


def is_stopped() -> ColumnElement[bool]:
    """Tell of a `ClusterRow` in a query whether it is paused and has given its memory back."""
    said = [{"type": "Ready", "reason": STOPPED}]
    return and_(
        ClusterRow.phase == Phase.PAUSED.value,
        cast(ClusterRow.conditions, JSONB).contains(said),
    )


async def _unused(
    session: ReadSession, for_seconds: int, limit: int, *which: ColumnElement[bool]
) -> list[tuple[UUID, UUID]]:
    rows = await session.execute(
        select(ClusterRow.id, ClusterRow.owner_id)
        .outerjoin(UseRow, UseRow.cluster_id == ClusterRow.id)
        .where(
            ClusterRow.deleted_at.is_(None),
            ClusterRow.owner_id != POOL,
            _used_at() < func.now() - timedelta(seconds=for_seconds),
            ~jobs.has_open(),
            *which,
        )
        .order_by(_used_at())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


def _used_at() -> ColumnElement[datetime]:
    return func.greatest(ClusterRow.ready_at, UseRow.used_at, type_=DateTime(timezone=True))


def _has_direct() -> ColumnElement[bool]:
    return (
        select(CredentialRow.id)
        .where(
            CredentialRow.cluster_id == ClusterRow.id,
            CredentialRow.endpoint == Endpoint.DIRECT.value,
            CredentialRow.revoked_at.is_(None),
            CredentialRow.expires_at > func.now(),
        )
        .exists()
    )
