"""Lines of the log on their way into the database, and chunks that have become too many.

Measured (ADR 0010): a row for each line takes 290 bytes and is read at 180,000 lines a second; in
chunks a line takes 50 bytes and is read at more than a million a second.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import delete, func, select, update

from server.store.database import WriteSession, raw_connection
from server.store.event_tables import LogChunkRow
from server.store.runs import RUN_CHARS, RUN_EVENTS, SEPARATOR, seq_of
from server.store.tables import ClusterRow, EvidenceRow

COLUMNS: Final = ("cluster_id", "last_seq", "first_seq", "lines", "events")
PACKABLE_CHUNKS: Final = 20_000
"""More than these are not packed in one transaction; each holds at least a line."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Log lines that follow each other, each as `encode` has written it."""

    tails: list[str]


def encode(at: str, stream: Literal["stdout", "stderr", "lab"], text: str, *, cont: bool) -> str:
    """Write a line as it goes over the wire, but for its number, which is not known yet.

    `at` is RFC 3339.
    """
    # Nearly all events are lines of a log: spare them the general way.
    quoted = orjson.dumps(text).decode()
    return (
        f'"type":"log_line","version":1,"at":"{at}",'
        f'"data":{{"stream":"{stream}","text":{quoted},"cont":{"true" if cont else "false"}}}}}'
    )


class Chunk(NamedTuple):
    """Lines that share a row: `text` from number `first` to number `last`."""

    first: int
    last: int
    lines: int
    text: str


async def store(connection: asyncpg.Connection, cluster_id: UUID, chunks: Iterable[Chunk]) -> None:
    """Copy chunks into the database."""
    await connection.copy_records_to_table(
        LogChunkRow.__tablename__,
        columns=COLUMNS,
        records=[
            (cluster_id, chunk.last, chunk.first, chunk.lines, chunk.text) for chunk in chunks
        ],
    )


def numbered(seqs: Sequence[int], tails: Sequence[str]) -> Iterator[Chunk]:
    """Give lines their numbers, and cut them into chunks."""
    return cut(seqs, [f'{{"seq":{seq},{tail}' for seq, tail in zip(seqs, tails, strict=True)])


def cut(seqs: Sequence[int], texts: Sequence[str]) -> Iterator[Chunk]:
    """Cut lines into chunks of neither too many lines nor too much text."""
    text = SEPARATOR.join(texts) if len(texts) <= RUN_EVENTS else ""
    if len(texts) > 1 and (not text or len(text) > RUN_CHARS):
        half = len(texts) // 2
        yield from cut(seqs[:half], texts[:half])
        yield from cut(seqs[half:], texts[half:])
    else:
        yield Chunk(seqs[0], seqs[-1], len(texts), text)


async def pack(session: WriteSession, cluster_id: UUID) -> None:
    """Make few chunks of many. Lines that came one by one have a chunk each before.

    Readers do not mind: what they want next has the same numbers afterwards.
    """
    count, lines = (
        await session.execute(
            select(func.count(), func.coalesce(func.sum(LogChunkRow.lines), 0)).where(
                LogChunkRow.cluster_id == cluster_id
            )
        )
    ).one()
    if not lines / RUN_EVENTS + 1 < count / 2 <= PACKABLE_CHUNKS:
        return
    # What is deleted is what is packed: another transaction that packs as well finds nothing.
    taken = await session.execute(
        delete(LogChunkRow)
        .where(LogChunkRow.cluster_id == cluster_id)
        .returning(LogChunkRow.last_seq, LogChunkRow.events)
        .execution_options(synchronize_session=False)
    )
    chunks = sorted((last, text) for last, text in taken)
    texts = [line for _, text in chunks for line in text.split(SEPARATOR)]
    await store(
        await raw_connection(session), cluster_id, cut([seq_of(text) for text in texts], texts)
    )


async def give_up(session: WriteSession, *, older_than: timedelta, limit: int) -> int:
    """Remove lines and evidence of clusters that were deleted so long ago; tell of how many.

    Their facts stay. At most `limit` clusters are taken.
    """
    over = (
        select(ClusterRow.id)
        .where(ClusterRow.deleted_at < func.now() - older_than, ClusterRow.log_removed_at.is_(None))
        .order_by(ClusterRow.deleted_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = await session.scalars(
        update(ClusterRow)
        .where(ClusterRow.id.in_(over))
        .values(log_removed_at=func.now())
        .returning(ClusterRow.id)
        .execution_options(synchronize_session=False)
    )
    cluster_ids = list(taken)
    for table in (LogChunkRow, EvidenceRow):
        await session.execute(
            delete(table)
            .where(table.cluster_id.in_(cluster_ids))
            .execution_options(synchronize_session=False)
        )
    return len(cluster_ids)
