"""The event log: the one way in which anything that happens to a cluster is written and read.

A batch is one call and one transaction: the row of the cluster is locked and its counter moved,
so that numbers are contiguous and in commit order (a serial column would lose events to readers:
a later number can commit first). The snapshot in the row is the fold of the events, made by the
same pure function that clients use.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlalchemy import Text, func, select, update

from pyk8s.wire.base import rfc3339
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.events import ClusterEvent, EventData, LogLine, PhaseChanged
from pyk8s.wire.reduce import changes_of
from server.errors import NotFound, PhaseConflict
from server.lifecycle import TRANSITIONS
from server.store.cluster_rows import SNAPSHOT_FIELDS, snapshot_of
from server.store.database import ReadSession, WriteSession, raw_connection
from server.store.hints import EVENTS_CHANNEL, EventHint
from server.store.tables import ClusterRow, EventRow, UserRow

COLUMNS: Final = ("cluster_id", "seq", "type", "version", "at", "data")
_EVENT: TypeAdapter[ClusterEvent] = TypeAdapter(ClusterEvent)


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact that is about to be stored. `at` None: the database's clock says when."""

    data: EventData
    at: datetime | None = None


async def append(
    session: WriteSession,
    cluster_id: UUID,
    drafts: Sequence[Draft],
    *,
    expect: Collection[Phase] | None = None,
) -> int:
    """Store a batch and fold it into the snapshot; give the number of its last event.

    Call it once per transaction and cluster. A `PhaseChanged` must start from the cluster's phase
    and follow the lifecycle.

    Raises:
        NotFound: there is no such cluster.
        PhaseConflict: the cluster is in none of the expected phases, or the move is not allowed.
    """
    if not drafts and expect is None:
        raise ValueError("an empty batch")
    locked = await _advance(session, cluster_id, len(drafts))
    if expect is not None and locked.phase not in expect:
        raise PhaseConflict(expect, locked.phase)
    first = locked.last_seq - len(drafts) + 1
    has_state = any(not isinstance(draft.data, LogLine) for draft in drafts)
    if has_state:
        await _fold(session, cluster_id, drafts, locked.now)
    await _store(session, cluster_id, drafts, first=first, now=locked.now)
    hint = EventHint(cluster_id, locked.owner_id, locked.last_seq, has_state)
    await session.execute(select(func.pg_notify(EVENTS_CHANNEL, hint.encode())))
    return locked.last_seq


@dataclass(frozen=True, slots=True)
class _Locked:
    last_seq: int
    owner_id: UUID
    phase: Phase
    now: datetime


async def _advance(session: WriteSession, cluster_id: UUID, by: int) -> _Locked:
    row = (
        await session.execute(
            update(ClusterRow)
            .where(ClusterRow.id == cluster_id)
            .values(last_seq=ClusterRow.last_seq + by)
            .returning(
                ClusterRow.last_seq,
                ClusterRow.owner_id,
                ClusterRow.phase,
                func.clock_timestamp(),
            )
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no cluster {cluster_id}")
    return _Locked(row[0], row[1], Phase(row[2]), row[3])


async def _fold(
    session: WriteSession, cluster_id: UUID, drafts: Sequence[Draft], now: datetime
) -> None:
    row, owner = (
        await session.execute(
            select(ClusterRow, UserRow.username)
            .join(UserRow, UserRow.id == ClusterRow.owner_id)
            .where(ClusterRow.id == cluster_id)
            .execution_options(populate_existing=True)
        )
    ).one()
    snapshot = snapshot_of(row, owner=owner, epoch=cluster_id)
    changed: dict[str, Any] = {}
    for draft in drafts:
        if isinstance(draft.data, PhaseChanged):
            _check_move(snapshot, draft.data)
        changes = changes_of(snapshot, draft.data, draft.at or now)
        if changes:
            snapshot = snapshot.model_copy(update=changes)
            changed |= changes
    if changed:
        plain = snapshot.model_dump(mode="json", include=set(changed) & SNAPSHOT_FIELDS["json"])
        plain |= {name: changed[name] for name in changed.keys() & SNAPSHOT_FIELDS["plain"]}
        await session.execute(
            update(ClusterRow)
            .where(ClusterRow.id == cluster_id)
            .values(**plain)
            .execution_options(synchronize_session=False)
        )


def _check_move(snapshot: Cluster, move: PhaseChanged) -> None:
    if move.from_ is not snapshot.phase:
        raise PhaseConflict({move.from_}, snapshot.phase)
    if move.to not in TRANSITIONS[move.from_]:
        raise PhaseConflict(TRANSITIONS[move.from_], move.to)


async def _store(
    session: WriteSession, cluster_id: UUID, drafts: Sequence[Draft], *, first: int, now: datetime
) -> None:
    connection = await raw_connection(session)
    await connection.copy_records_to_table(
        EventRow.__tablename__,
        columns=COLUMNS,
        records=[
            (
                cluster_id,
                seq,
                draft.data.TYPE,
                draft.data.VERSION,
                draft.at or now,
                _encode(draft.data),
            )
            for seq, draft in enumerate(drafts, start=first)
        ],
    )


def _encode(data: EventData) -> str:
    if isinstance(data, LogLine):  # nearly all events are these: spare them the general way
        return orjson.dumps({"stream": data.stream, "text": data.text, "cont": data.cont}).decode()
    return data.model_dump_json(by_alias=True)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is stored; `data` is JSON text that nobody on the way needs to look into."""

    seq: int
    type: str
    version: int
    at: datetime
    data: str

    def encode(self, cluster_id: UUID | None = None) -> str:
        """Write the event as it goes over the wire, with its cluster's id if one is given."""
        of = f',"cluster_id":"{cluster_id}"' if cluster_id is not None else ""
        return (
            f'{{"seq":{self.seq},"type":"{self.type}","version":{self.version},'
            f'"at":"{rfc3339(self.at)}"{of},"data":{self.data}}}'
        )


async def read_stored(
    session: ReadSession,
    cluster_id: UUID,
    *,
    after: int,
    limit: int,
    types: Collection[str] | None = None,
    but: Collection[str] = (),
) -> list[StoredEvent]:
    """Read events with a number above `after`, in order; of some types only, or of all but some."""
    query = (
        select(EventRow.seq, EventRow.type, EventRow.version, EventRow.at, EventRow.data.cast(Text))
        .where(EventRow.cluster_id == cluster_id, EventRow.seq > after)
        .order_by(EventRow.seq)
        .limit(limit)
    )
    if types is not None:
        query = query.where(EventRow.type.in_(types))
    if but:
        query = query.where(EventRow.type.not_in(but))
    return [StoredEvent(*row) for row in await session.execute(query)]


async def read(
    session: ReadSession,
    cluster_id: UUID,
    *,
    after: int,
    limit: int,
    types: Collection[str] | None = None,
) -> list[ClusterEvent]:
    """Read events as models of the wire."""
    stored = await read_stored(session, cluster_id, after=after, limit=limit, types=types)
    return [_EVENT.validate_json(event.encode()) for event in stored]
