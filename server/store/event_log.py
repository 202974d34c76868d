"""The event log: the one way in which anything that happens to a cluster is written.

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

import asyncpg
from sqlalchemy import func, select, update

from pyk8s.wire.base import rfc3339
from pyk8s.wire.cluster import USABLE, Cluster, Phase
from pyk8s.wire.facts import EventData, LogLine, PhaseChanged
from pyk8s.wire.reduce import changes_of
from server.errors import NotFound, NotReady, PhaseConflict
from server.lifecycle import TRANSITIONS
from server.store import log_chunks
from server.store.cluster_rows import SNAPSHOT_FIELDS, snapshot_of
from server.store.database import WriteSession, raw_connection
from server.store.event_tables import EventRow
from server.store.hints import EVENTS_CHANNEL, EventHint
from server.store.log_chunks import Lines
from server.store.tables import ClusterRow, UserRow

LIVING: Final = frozenset(Phase) - {Phase.DELETED}
COLUMNS: Final = ("cluster_id", "seq", "type", "version", "at", "data")


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact that is about to be stored. `at` None: the database's clock says when."""

    data: EventData
    at: datetime | None = None


async def append(
    session: WriteSession,
    cluster_id: UUID,
    drafts: Sequence[Draft | Lines],
    *,
    expect: Collection[Phase] | None = None,
) -> int:
    """Store a batch and fold it into the snapshot; give the number of its last event.

    Call it once per transaction and cluster. A `PhaseChanged` must start from the cluster's phase
    and follow the lifecycle. The batch that moves a cluster to `deleted` is the last one: whoever
    follows the cluster stops there.

    Raises:
        NotFound: there is no such cluster.
        PhaseConflict: the cluster is deleted, it is in none of the expected phases, or the move is
            not allowed.
    """
    if not drafts and expect is None:
        raise ValueError("an empty batch")
    count = sum(len(draft.tails) if isinstance(draft, Lines) else 1 for draft in drafts)
    locked = await _advance(session, cluster_id, count)
    expected = LIVING if expect is None else expect
    if locked.phase not in expected:
        raise PhaseConflict(expected, locked.phase)
    sorted_out = _sort_out(drafts, first=locked.last_seq - count + 1, now=locked.now)
    facts = [draft for _, draft in sorted_out.facts]
    if facts:
        await _fold(session, cluster_id, facts, locked.now)
    await _store(await raw_connection(session), cluster_id, sorted_out, now=locked.now)
    has_state = bool(facts)
    hint = EventHint(cluster_id, locked.owner_id, locked.last_seq, has_state)
    await session.execute(select(func.pg_notify(EVENTS_CHANNEL, hint.encode())))
    return locked.last_seq


async def append_use(session: WriteSession, cluster_id: UUID, fact: EventData) -> None:
    """Store what somebody does with a cluster, which was usable when they asked.

    Raises:
        NotReady: it is not usable any more; the transaction must not commit.
    """
    try:
        await append(session, cluster_id, [Draft(fact)], expect=USABLE)
    except PhaseConflict as error:
        raise NotReady(
            f"the cluster is {error.actual} now",
            fix="see the list of your clusters; create another one if it is deleted",
        ) from error


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


@dataclass(frozen=True, slots=True)
class _SortedOut:
    """A batch with its numbers: facts are rows of their own, lines of the log go into chunks."""

    facts: list[tuple[int, Draft]]
    seqs: list[int]
    tails: list[str]


def _sort_out(drafts: Sequence[Draft | Lines], *, first: int, now: datetime) -> _SortedOut:
    found = _SortedOut([], [], [])
    seq = first
    for draft in drafts:
        if isinstance(draft, Lines):
            found.seqs.extend(range(seq, seq + len(draft.tails)))
            found.tails.extend(draft.tails)
            seq += len(draft.tails)
            continue
        if isinstance(line := draft.data, LogLine):
            at = rfc3339(draft.at or now)
            found.seqs.append(seq)
            found.tails.append(log_chunks.encode(at, line.stream, line.text, cont=line.cont))
        else:
            found.facts.append((seq, draft))
        seq += 1
    return found


async def _store(
    connection: asyncpg.Connection, cluster_id: UUID, batch: _SortedOut, *, now: datetime
) -> None:
    if batch.facts:
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
                    draft.data.model_dump_json(by_alias=True),
                )
                for seq, draft in batch.facts
            ],
        )
    if batch.tails:
        chunks = log_chunks.numbered(batch.seqs, batch.tails)
        await log_chunks.store(connection, cluster_id, chunks)
