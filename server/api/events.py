"""A cluster's events as JSON pages and as SSE, its log as text; one cursor for all."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pyk8s.wire.accounts import Scope
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.service import FieldError
from server.api.auth import authenticate
from server.api.clusters import owned
from server.api.state import State
from server.api.wire import read_query, several
from server.errors import ValidationFailed
from server.fanout.follow import (
    Batch,
    CaughtUp,
    Ended,
    FellBehind,
    Followed,
    follow_cluster,
)
from server.store import event_reads
from server.store.runs import SEPARATOR, StoredEvent

MAX_CURSOR = 2**53 - 1  # what JSON and JavaScript carry exactly
SSE_RETRY_MS = 1000
PAGE = 1000
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventsQuery(BaseModel):
    """Which events."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=MAX_CURSOR)
    limit: int = Field(500, ge=1, le=5000)
    types: Annotated[list[str] | None, BeforeValidator(several)] = None


class LogQuery(BaseModel):
    """Whether to stay for what comes."""

    model_config = ConfigDict(extra="forbid")

    follow: bool = False


async def events(request: Request[State]) -> Response:
    """Give events after a cursor: a page, or with `Accept: text/event-stream` a stream."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    query = read_query(request, EventsQuery)
    cluster = await owned(request, principal)
    if "text/event-stream" in request.headers.get("accept", ""):
        after = _last_event_id(request, query.after)
        return StreamingResponse(
            _sse(request.state, cluster, after, query.types),
            media_type="text/event-stream",
            headers=STREAM_HEADERS,
        )
    return await _page(request.state, cluster, query)


async def _page(state: State, cluster: Cluster, query: EventsQuery) -> Response:
    async with state["database"].reading() as session:
        found = await event_reads.read_stored(
            session, cluster.id, after=query.after, limit=query.limit, types=query.types
        )
    whole = len(found) < query.limit
    next_after = found[-1].seq if found else query.after
    if whole:  # with a filter, what lies between was looked at as well
        next_after = max(next_after, min(cluster.last_seq, MAX_CURSOR))
    ended = whole and cluster.phase is Phase.DELETED
    items = SEPARATOR.join(event.text for event in found)
    body = (
        f'{{"items":[{items}],"next_after":{next_after},'
        f'"epoch":"{cluster.epoch}","end":{"true" if ended else "false"}}}'
    )
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


def _last_event_id(request: Request[State], after: int) -> int:
    given = request.headers.get("last-event-id")
    if given is None:
        return after
    if not (given.isascii() and given.isdigit() and int(given) <= MAX_CURSOR):
        raise ValidationFailed(
            f"Last-Event-ID: {given[:40]!r} is not a seq",
            fix="send back an id that this stream gave",
            errors=[FieldError(field="Last-Event-ID", message="a seq", input=given[:40])],
        )
    return int(given)


async def _sse(
    state: State, cluster: Cluster, after: int, types: list[str] | None
) -> AsyncIterator[str]:
    yield f"retry: {SSE_RETRY_MS}\n\n"
    following = follow_cluster(state["hub"], state["database"], cluster.id, after=after)
    async with aclosing(following):
        async for item in following:
            text = _sse_of(item, types)
            if text:
                yield text


def _sse_of(item: Followed, types: list[str] | None) -> str:
    match item:
        case Batch(events=batch):
            return "".join(
                f"id: {event.seq}\nevent: {event.type}\ndata: {event.text}\n\n"
                for event in batch
                if types is None or event.type in types
            )
        case CaughtUp(seq=seq):
            return f": up to date with {seq}\n\n"
        case Ended(seq=seq):
            return f'id: {seq}\nevent: end\ndata: {{"seq":{seq}}}\n\n'
        case FellBehind():
            return ""


async def log(request: Request[State]) -> Response:
    """Give the log as text, for `curl`; with `follow` until the cluster is deleted."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    query = read_query(request, LogQuery)
    cluster = await owned(request, principal)
    lines = _follow_text(request.state, cluster) if query.follow else _text(request.state, cluster)
    return StreamingResponse(lines, media_type="text/plain; charset=utf-8", headers=STREAM_HEADERS)


async def _text(state: State, cluster: Cluster) -> AsyncIterator[str]:
    cursor = 0
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


async def _follow_text(state: State, cluster: Cluster) -> AsyncIterator[str]:
    following = follow_cluster(state["hub"], state["database"], cluster.id, after=0)
    async with aclosing(following):
        async for item in following:
            if isinstance(item, Batch):
                text = "".join(_text_of(event) for event in item.events)
                if text:
                    yield text


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
