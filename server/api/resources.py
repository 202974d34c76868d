"""What is inside a cluster: as it is now, as a stream of what changes, and the logs of its pods."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import anyio
import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.accounts import Scope
from pyk8s.wire.base import Ask, rfc3339
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.resources import ResourcesAway
from server.api.audience import SSE, LongAnswer, patiently
from server.api.auth import authenticate
from server.api.clusters import owned
from server.api.events import PIECE_CHARS, SSE_RETRY_MS, STREAM_HEADERS, TEXT
from server.api.state import State
from server.api.wire import read_query, refused, text_in_path
from server.errors import ClusterAway, NotReady
from server.resources import pod_log as logs
from server.resources.lookout import Beat, Change, Everything, Seen
from server.store import clusters

FIRST_SECONDS: Final = 15.0
"""So long a cluster may take to tell everything."""
MOST_LINES: Final = 10_000
NAME: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
"""A name of Kubernetes: RFC 1123, with the dots that names of pods may have."""
NAME_CHARS: Final = 253


class PodLogQuery(Ask):
    """Which log of a pod, and how much of it."""

    container: str | None = Field(None, pattern=NAME, max_length=NAME_CHARS)
    follow: bool = False
    tail_lines: int = Field(1000, ge=0, le=MOST_LINES)
    previous: bool = False


async def resources(request: Request[State]) -> Response:
    """Tell what is inside a cluster; with `Accept: text/event-stream` go on with what changes."""
    principal = await authenticate(request, Scope.ACCESS)
    cluster = await _reachable(request, await owned(request, principal))
    if SSE in request.headers.get("accept", ""):
        return LongAnswer(
            _sse(request.state, principal.user.id, cluster.id),
            state=request.state,
            principal=principal,
            media_type=SSE,
            headers=STREAM_HEADERS,
        )
    body = await _now(request.state, cluster)
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


async def pod_log(request: Request[State]) -> Response:
    """Give the log of a container as text; with `follow` until it ends."""
    principal = await authenticate(request, Scope.ACCESS)
    query = read_query(request, PodLogQuery)
    namespace, pod = (_name_in_path(request, name) for name in ("namespace", "pod"))
    cluster = await _reachable(request, await owned(request, principal))
    pieces = await logs.open_log(
        await request.state["upstreams"].of(cluster.id),
        namespace,
        pod,
        container=query.container,
        follow=query.follow,
        tail_lines=query.tail_lines,
        previous=query.previous,
    )
    return LongAnswer(
        pieces,
        state=request.state,
        principal=principal,
        media_type=TEXT,
        headers=STREAM_HEADERS,
    )


async def _reachable(request: Request[State], cluster: Cluster) -> Cluster:
    """Give the cluster if something can answer in it.

    Raises:
        NotReady: it is not ready, or paused.
        Simulated: there is nothing behind it.
    """
    if cluster.phase is not Phase.READY:
        raise NotReady(f"the cluster is {cluster.phase}", fix="look again when it is ready")
    await request.state["upstreams"].of(cluster.id)
    return cluster


def _name_in_path(request: Request[State], name: str) -> str:
    given = text_in_path(request, name)
    wanted = PodLogQuery.model_validate
    try:
        wanted({"container": given})
    except ValueError as error:
        message = "small letters, digits, dashes and dots, a letter or digit first and last"
        fix = "give the name that the list of pods has"
        raise refused(name, message, fix=fix, given=given) from error
    return given


async def _now(state: State, cluster: Cluster) -> str:
    looking = state["lookout"].look(cluster.id)
    async with aclosing(looking):
        with anyio.move_on_after(FIRST_SECONDS):
            async for seen in looking:
                if isinstance(seen, Everything):
                    return _everything(seen)
                if isinstance(seen, ResourcesAway):
                    raise ClusterAway(seen.detail, fix="try again in a moment", retry_after=2)
    raise ClusterAway(
        f"the cluster did not tell everything in {FIRST_SECONDS:g} s",
        fix="see whether its host is overloaded, then try again",
        retry_after=5,
    )


async def _sse(state: State, owner_id: UUID, cluster_id: UUID) -> AsyncGenerator[str, None]:
    yield f"retry: {SSE_RETRY_MS}\n\n"
    looking = state["lookout"].look(cluster_id)
    async with aclosing(looking):
        async for seen in looking:
            for piece in _cut(_sse_of(seen)):
                yield piece
            if isinstance(seen, ResourcesAway) and await _is_over(state, owner_id, cluster_id):
                yield f'event: end\ndata: {{"at":"{_moment()}"}}\n\n'
                return


async def _is_over(state: State, owner_id: UUID, cluster_id: UUID) -> bool:
    """Tell whether the cluster does not answer because it is deleted."""

    async def phase() -> Phase | None:
        async with state["database"].reading() as session:
            now = await clusters.get(session, owner_id, cluster_id)
        return None if now is None else now.phase

    return await patiently(phase) in {None, Phase.DELETING, Phase.DELETED}


def _sse_of(seen: Seen) -> str:
    match seen:
        case Everything():
            return f"event: snapshot\ndata: {_everything(seen)}\n\n"
        case Change(changed, more):
            put = ",".join(entry.text for entry in changed.values() if entry is not None)
            gone = _json([uid for uid, entry in changed.items() if entry is None])
            return (
                f'event: change\ndata: {{"at":"{_moment()}","put":[{put}],"remove":{gone},'
                f'"more":{_json(more)}}}\n\n'
            )
        case ResourcesAway():
            return f"event: unavailable\ndata: {seen.model_dump_json()}\n\n"
        case Beat():
            return f'event: beat\ndata: {{"at":"{_moment()}"}}\n\n'


def _everything(seen: Everything) -> str:
    items = ",".join(entry.text for entry in seen.entries)
    return f'{{"at":"{_moment()}","items":[{items}],"more":{_json(seen.more)}}}'


def _cut(text: str) -> Iterator[str]:
    """Cut into pieces that a slow reader can take one after the other."""
    for start in range(0, len(text), PIECE_CHARS):
        yield text[start : start + PIECE_CHARS]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _moment() -> str:
    return rfc3339(datetime.now(UTC))
