"""Reading the event log: runs for those who follow, single events for those who choose."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import chain
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlalchemy import func, select, text

from pyk8s.wire.base import rfc3339
from pyk8s.wire.cluster import Phase
from pyk8s.wire.events import ClusterEvent
from pyk8s.wire.facts import PhaseChanged
from server.store.database import ReadSession
from server.store.event_tables import EventRow
from server.store.log_chunks import Chunk
from server.store.runs import SEPARATOR, Run, StoredEvent, event_of, is_whole, runs_of, seq_of
from server.store.tables import ClusterRow

PAGE_BYTES: Final = 256 * 1024
PAGE_CHUNKS: Final = 512
PAGE_FACTS: Final = 512

_EVENT: TypeAdapter[ClusterEvent] = TypeAdapter(ClusterEvent)

# The length of a text is in its header: those that are not given out are not decompressed.
_PAGE: Final = text(
    """
    SELECT last_seq, first_seq, lines, events, NULL::text AS type, NULL::integer AS version,
      NULL::timestamptz AS at, upto
    FROM (
      SELECT *, sum(octet_length(events)) OVER (ORDER BY last_seq) AS upto
      FROM (
        SELECT last_seq, first_seq, lines, events FROM log_chunks
        WHERE :with_lines AND cluster_id = :cluster_id AND last_seq > :after
        ORDER BY last_seq LIMIT :chunks
      ) AS next_chunks
    ) AS measured
    WHERE upto - octet_length(events) < :bytes
    UNION ALL
    SELECT seq, seq, 1, data::text, type, version, at, 0
    FROM (
      SELECT seq, data, type, version, at FROM events
      WHERE cluster_id = :cluster_id AND seq > :after
        AND (CAST(:types AS text[]) IS NULL OR type = ANY(:types))
      ORDER BY seq LIMIT :facts
    ) AS next_facts
    """
)


class LogBroken(Exception):
    """An event is missing in the database. Never seen; it would be a defect of this server."""


class _Page(NamedTuple):
    """What was read. Up to `horizon` it is complete; None: to the end of the log.

    `end`: the number of the last event of a deleted cluster, if it is here.
    """

    chunks: list[Chunk]
    facts: list[tuple[int, str]]
    horizon: int | None
    end: int | None


async def read_runs(session: ReadSession, cluster_id: UUID, *, after: int) -> list[Run]:
    """Read on after `after`, about as much as `PAGE_BYTES`; nothing when there is nothing.

    Where lines were given up, an event `log_expired` stands for them.

    Raises:
        LogBroken: an event is missing.
    """
    return (await _next_runs(session, cluster_id, after))[0]


async def read_page(session: ReadSession, cluster_id: UUID, *, after: int, limit: int) -> list[Run]:
    """Read up to `limit` events after `after` as runs.

    Raises:
        LogBroken: an event is missing.
    """
    page: list[Run] = []
    left = limit
    horizon: int | None = after
    while horizon is not None and left > 0:
        found, horizon = await _next_runs(session, cluster_id, horizon)
        for run in found:
            if left <= 0:
                break
            page.append(run if run.count <= left else run.up_to(left))
            left -= page[-1].count
    return page


async def read_stored(
    session: ReadSession,
    cluster_id: UUID,
    *,
    after: int,
    limit: int,
    types: Collection[str] | None = None,
    facts_only: bool = False,
) -> list[StoredEvent]:
    """Read up to `limit` events after `after`, in order; of some types only, or but log lines.

    Raises:
        LogBroken: an event is missing.
    """
    if types is None and not facts_only:
        page = await read_page(session, cluster_id, after=after, limit=limit)
        return list(chain.from_iterable(run.events for run in page))
    with_lines = not facts_only and (types is None or "log_line" in types)
    found: list[StoredEvent] = []
    horizon: int | None = after
    while horizon is not None and len(found) < limit:
        part = await _read_page(session, cluster_id, horizon, with_lines=with_lines, types=types)
        found += [event_of(text) for _, text in _in_order(part, horizon)]
        horizon = part.horizon
    return found[:limit]


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
    return [_EVENT.validate_json(event.text) for event in stored]


async def end_of(session: ReadSession, cluster_id: UUID) -> int | None:
    """Return the number of a cluster's last event. None: it is not deleted, so there is none yet.

    Logs of older servers may go on after it, with what was noted about a deleted cluster.
    """
    return await session.scalar(
        select(func.min(EventRow.seq)).where(
            EventRow.cluster_id == cluster_id,
            EventRow.type == PhaseChanged.TYPE,
            EventRow.data["to"].astext == Phase.DELETED,
        )
    )


async def _next_runs(
    session: ReadSession, cluster_id: UUID, after: int
) -> tuple[list[Run], int | None]:
    """Give runs, and the number after which there are more, if there are."""
    page = await _read_page(session, cluster_id, after)
    runs = _merge(page, after)
    if runs and (runs[0].first > after + 1 or any(map(_is_gap, runs, runs[1:]))):
        runs = await _with_gaps_told(session, cluster_id, runs, after)
    return runs, None if page.horizon is None else runs[-1].last


async def _read_page(
    session: ReadSession,
    cluster_id: UUID,
    after: int,
    *,
    with_lines: bool = True,
    types: Collection[str] | None = None,
) -> _Page:
    values = {
        "cluster_id": cluster_id,
        "after": after,
        "with_lines": with_lines,
        "types": None if types is None else list(types),
        "chunks": PAGE_CHUNKS,
        "bytes": PAGE_BYTES,
        "facts": PAGE_FACTS,
    }
    return _page_of((await session.execute(_PAGE, values)).all())


def _page_of(rows: Sequence[Any]) -> _Page:
    chunks: list[Chunk] = []
    facts: list[tuple[int, str]] = []
    ends: list[int] = []
    size, end = 0, None
    for last, first, lines, events, kind, version, at, upto in rows:
        if kind is None:
            chunks.append(Chunk(first, last, lines, events))
            size = int(upto)
        else:
            facts.append((last, encode_fact(last, kind, version, at, events)))
            if kind == "phase_changed" and orjson.loads(events)["to"] == Phase.DELETED:
                end = last
    if end is not None:
        # Older servers noted that a credential was revoked after the end. Nothing follows it.
        facts = [fact for fact in facts if fact[0] <= end]
        chunks = [chunk for chunk in chunks if chunk.first <= end]
    chunks.sort(key=lambda chunk: chunk.last)
    facts.sort()
    if len(chunks) == PAGE_CHUNKS or size >= PAGE_BYTES:
        ends.append(chunks[-1].last)
    if len(facts) == PAGE_FACTS:
        ends.append(facts[-1][0])
    return _Page(chunks, facts, min(ends, default=None), end)


def encode_fact(seq: int, kind: str, version: int, at: datetime, data: str) -> str:
    """Write an event as it goes over the wire; `data` is JSON that nobody needs to look into."""
    return f'{{"seq":{seq},"type":"{kind}","version":{version},"at":"{rfc3339(at)}","data":{data}}}'


def _merge(page: _Page, after: int) -> list[Run]:
    """Put lines and facts in order; chunks without facts in between stay as they are."""
    runs: list[Run] = []
    loose: list[tuple[int, str]] = []
    facts = _up_to(page.horizon, page.facts)
    taken = 0
    for chunk in page.chunks:
        if page.horizon is not None and chunk.first > page.horizon:
            break
        outside = taken
        while outside < len(facts) and facts[outside][0] < chunk.first:
            outside += 1
        loose += facts[taken:outside]
        taken = outside
        if chunk.first > after and is_whole(chunk.first, chunk.last, chunk.lines):
            runs += runs_of(loose)
            loose = []
            runs.append(Run(chunk.first, chunk.last, chunk.text))
            continue
        while taken < len(facts) and facts[taken][0] < chunk.last:
            taken += 1
        loose += merge(_up_to(page.horizon, _lines_of(chunk, after)), facts[outside:taken])
    runs += runs_of([*loose, *facts[taken:]], end=page.end)
    return runs


def _in_order(page: _Page, after: int) -> Iterator[tuple[int, str]]:
    lines = chain.from_iterable(_lines_of(chunk, after) for chunk in page.chunks)
    return merge(_up_to(page.horizon, lines), _up_to(page.horizon, page.facts))


def _up_to(horizon: int | None, events: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    return [event for event in events if horizon is None or event[0] <= horizon]


def _lines_of(chunk: Chunk, after: int) -> list[tuple[int, str]]:
    lines = ((seq_of(line), line) for line in chunk.text.split(SEPARATOR))
    return [line for line in lines if line[0] > after]


def _is_gap(before: Run, following: Run) -> bool:
    return following.first != before.last + 1


async def _with_gaps_told(
    session: ReadSession, cluster_id: UUID, runs: list[Run], after: int
) -> list[Run]:
    removed_at = await session.scalar(
        select(ClusterRow.log_removed_at).where(ClusterRow.id == cluster_id)
    )
    if removed_at is None:
        raise LogBroken(f"cluster {cluster_id}: an event after {after} is missing")
    told: list[Run] = []
    for run in runs:
        if run.first > after + 1:
            last = run.first - 1
            data = f'{{"from":{after + 1},"to":{last}}}'
            told.append(Run(after + 1, last, encode_fact(last, "log_expired", 1, removed_at, data)))
        told.append(run)
        after = run.last
    return told
