"""A cluster's events as JSON pages and as SSE, its log as text; one cursor for all."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import Annotated, get_args
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pyk8s.wire.accounts import Scope
from pyk8s.wire.base import MAX_INTEGER, Ask
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.events import ClusterEvent
from server.api.audience import SSE, LongAnswer
from server.api.auth import authenticate
from server.api.clusters import owned
from server.api.state import State
from server.api.wire import read_query, refused, several, text_in_header
from server.errors import UnknownPosition
from server.fanout.follow import (
    Batch,
    CaughtUp,
    Ended,
    FellBehind,
    Followed,
    follow_cluster,
)
from server.store import event_reads
from server.store.accounts import Principal
from server.store.runs import SEPARATOR, StoredEvent, head_of, runs_of

MAX_CURSOR = MAX_INTEGER
MAX_CURSOR_DIGITS = len(str(MAX_CURSOR))
SSE_RETRY_MS = 1000
PAGE = 1000
PIECE_CHARS = 32 * 1024
"""So little at once, that a slow reader can take each piece in the time there is for it."""

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
TEXT = "text/plain; charset=utf-8"
BEGIN_ANEW = "forget the cursor and what came of it, and begin with after=0"
TYPES = frozenset(
    str(event.model_fields["type"].default) for event in get_args(get_args(ClusterEvent)[0])
)


def _known(types: list[str] | None) -> list[str] | None:
    unknown = sorted(set(types or ()) - TYPES)
    if unknown:
        named = ", ".join(name[:40] for name in unknown[:3])
        raise ValueError(f"no such type: {named}; there are {', '.join(sorted(TYPES))}")
    return types


EventType = Annotated[str, WithJsonSchema({"type": "string", "enum": sorted(TYPES)})]


class EventsQuery(Ask):
    """Which events."""

    after: int = Field(0, ge=0, le=MAX_CURSOR)
    epoch: UUID | None = None
    limit: int = Field(500, ge=1, le=5000)
    types: Annotated[list[EventType] | None, BeforeValidator(several), AfterValidator(_known)] = (
        Field(None, min_length=1)
    )


class LogQuery(Ask):
    """Which lines, and whether to stay for what comes."""

    after: int = Field(0, ge=0, le=MAX_CURSOR)
    follow: bool = False


async def events(request: Request[State]) -> Response:
    """Give events after a cursor: a page, or with `Accept: text/event-stream` a stream."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    query = read_query(request, EventsQuery)
    cluster = await owned(request, principal)
    if query.epoch is not None and query.epoch != cluster.epoch:
        raise UnknownPosition(f"this log is {cluster.epoch}, not {query.epoch}", fix=BEGIN_ANEW)
    if SSE in request.headers.get("accept", ""):
        after = _last_event_id(request, query.after)
        _require_known(cluster, after)
        pieces = _sse(request.state, cluster, after, query.types)
        return _long(request, principal, pieces, SSE)
    _require_known(cluster, query.after)
    return await _page(request.state, cluster, query)


def _require_known(cluster: Cluster, after: int) -> None:
    if after > cluster.last_seq:
        raise UnknownPosition(
            f"you have {after}, the log ends at {cluster.last_seq}", fix=BEGIN_ANEW
        )


def _long(
    request: Request[State], principal: Principal, pieces: AsyncGenerator[str, None], media: str
) -> LongAnswer:
    return LongAnswer(
        pieces,
        state=request.state,
        principal=principal,
        media_type=media,
        headers=STREAM_HEADERS,
    )


async def _page(state: State, cluster: Cluster, query: EventsQuery) -> Response:
    async with state["database"].reading() as session:
        if query.types is None:
            runs = await event_reads.read_page(
                session, cluster.id, after=query.after, limit=query.limit
            )
        else:
            found = await event_reads.read_stored(
                session, cluster.id, after=query.after, limit=query.limit, types=query.types
            )
            runs = list(runs_of((event.seq, event.text) for event in found))
    whole = sum(run.count for run in runs) < query.limit
    next_after = runs[-1].last if runs else query.after
    if whole:  # with a filter, what lies between was looked at as well
        next_after = max(next_after, min(cluster.last_seq, MAX_CURSOR))
    ended = whole and cluster.phase is Phase.DELETED
    items = SEPARATOR.join(run.text for run in runs)
    body = (
        f'{{"items":[{items}],"next_after":{next_after},'
        f'"epoch":"{cluster.epoch}","end":{"true" if ended else "false"}}}'
    )
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


def _last_event_id(request: Request[State], after: int) -> int:
    given = text_in_header(request, "Last-Event-ID", max_chars=MAX_CURSOR_DIGITS)
    if given is None:
        return after
    if not (given.isascii() and given.isdigit() and int(given) <= MAX_CURSOR):
        fix = "send back an id that this stream gave"
        raise refused("Last-Event-ID", "is not a seq", fix=fix, given=given)
    return int(given)


async def _sse(
    state: State, cluster: Cluster, after: int, types: list[str] | None
) -> AsyncGenerator[str, None]:
    yield f"retry: {SSE_RETRY_MS}\n\n"
    following = follow_cluster(state["hub"], state["database"], cluster.id, after=after)
    async with aclosing(following):
        async for item in following:
            for piece in _pieces(_sse_of(item, types)):
                yield piece


def _pieces(told: Iterable[str]) -> Iterator[str]:
    """Put what is told together to pieces that a slow reader can take one after the other."""
    piece: list[str] = []
    size = 0
    for each in told:
        piece.append(each)
        size += len(each)
        if size >= PIECE_CHARS:
            yield "".join(piece)
            piece, size = [], 0
    if piece:
        yield "".join(piece)


def _sse_of(item: Followed, types: list[str] | None) -> Iterator[str]:
    match item:
        case Batch(run=run):
            for line in run.lines:
                seq, kind = head_of(line)
                if types is None or kind in types:
                    yield f"id: {seq}\nevent: {kind}\ndata: {line}\n\n"
            if types is not None and kind not in types:
                # The reader's id is moved past what its filter left out, or all is read again.
                yield f"id: {seq}\n\n"
        case CaughtUp(seq=upto):
            yield f": up to date with {upto}\n\nid: {upto}\n\n"
        case Ended(seq=upto):
            yield f'id: {upto}\nevent: end\ndata: {{"seq":{upto}}}\n\n'
        case FellBehind(first=first, last=last):
            yield f": {first} to {last} follow from the database\n\n"


async def log(request: Request[State]) -> Response:
    """Give the log as text, for `curl`; with `follow` until the cluster is deleted."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    query = read_query(request, LogQuery)
    cluster = await owned(request, principal)
    _require_known(cluster, query.after)
    if query.follow:
        return _long(request, principal, _follow_text(request.state, cluster, query.after), TEXT)
    lines = _text(request.state, cluster, query.after)
    return StreamingResponse(lines, media_type=TEXT, headers=STREAM_HEADERS)


async def _text(state: State, cluster: Cluster, cursor: int) -> AsyncIterator[str]:
    while True:
        async with state["database"].reading() as session:
            found = await event_reads.read_stored(
                session,
                cluster.id,
                after=cursor,
                limit=PAGE,
            )
        if not found:
            return
        cursor = found[-1].seq
        yield "".join(map(_text_of, found))


async def _follow_text(state: State, cluster: Cluster, after: int) -> AsyncGenerator[str, None]:
    following = follow_cluster(state["hub"], state["database"], cluster.id, after=after)
    async with aclosing(following):
        async for item in following:
            if isinstance(item, Batch):
                for piece in _pieces(filter(None, map(_text_of, item.run.events))):
                    yield piece


def _text_of(event: StoredEvent) -> str:
    match event.type:
        case "log_line":
            data = event.data
            return f"{data['text']}" if data["cont"] else f"{data['text']}\n"
        case "log_truncated":
            return f"[the log is cut here: {event.data['cap_bytes']} bytes are kept]\n"
        case "log_expired":
            data = event.data
            return f"[events {data['from']} to {data['to']}: the lines are no longer kept]\n"
        case _:
            return ""
