"""The WebSocket /api/v1/stream: subscribe, snapshot or replay, live, end."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Final
from uuid import UUID

import anyio
import anyio.abc
from pydantic import TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from pyk8s.wire.accounts import Scope
from pyk8s.wire.cluster import Cluster
from pyk8s.wire.frames import (
    SUBPROTOCOL,
    Bookmark,
    ClientFrame,
    ClusterSnapshot,
    ClustersSnapshot,
    End,
    Goaway,
    Hello,
    Lagged,
    Ping,
    Pong,
    ServerFrame,
    StreamError,
    Subscribe,
    Unsubscribe,
)
from server import __version__
from server.api.audience import LAST_SECONDS, patiently
from server.api.auth import authenticate
from server.api.protocol import (
    CLOSE_CODES,
    GOAWAY_RETRY_MS,
    HEARTBEAT_SECONDS,
    MAX_FRAMES_PER_MINUTE,
    MAX_SUBSCRIPTIONS,
    Closed,
    limits_of,
)
from server.api.state import State
from server.api.streams import Stream
from server.errors import Unavailable, ValidationFailed
from server.fanout.follow import (
    Batch,
    CaughtUp,
    Ended,
    FellBehind,
    Snapshots,
    follow_cluster,
    follow_owner,
)
from server.store import clusters
from server.transport.connection import frame_writer, hang_up, text_frame

MINUTE: Final = 60.0
CLUSTER_PREFIX: Final = "cluster:"

_FRAME: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)
Work = Callable[[], Awaitable[None]]


async def stream(websocket: WebSocket[State]) -> None:
    """Serve one connection. Whoever may not is refused by HTTP, before the handshake ends."""
    principal = await authenticate(websocket, Scope.CLUSTERS_READ)
    if SUBPROTOCOL not in websocket.scope["subprotocols"]:
        raise ValidationFailed(
            f"the stream speaks the subprotocol {SUBPROTOCOL}",
            fix=f"offer it: Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        )
    with websocket.state["streams"].admit(principal) as stream, suppress(WebSocketDisconnect):
        await websocket.accept(subprotocol=SUBPROTOCOL)
        await Connection(websocket, stream).serve()


class Connection:
    """One client and its subscriptions, each a task of the connection's group."""

    def __init__(self, websocket: WebSocket[State], stream: Stream) -> None:
        self._websocket = websocket
        self._state = websocket.state
        self._stream = stream
        self._write_frame = frame_writer(websocket.scope)
        self._subscriptions: dict[str, anyio.CancelScope] = {}
        self._epoch: UUID | None = None

    async def serve(self) -> None:
        """Talk until one side has enough."""
        is_gone = False
        try:
            with self._stream.scope:
                async with anyio.create_task_group() as tasks:
                    await self._until_closed(partial(self._read, tasks))
        except* WebSocketDisconnect:
            is_gone = True  # there is nobody to tell
        if self._stream.ended is not None and not is_gone:
            await self._close(self._stream.ended)

    async def _until_closed(self, work: Work) -> None:
        """Run a part of the connection; the first to end it says why, and ends the others."""
        try:
            await work()
        except Closed as closed:
            self._stream.end(closed)

    async def _close(self, closed: Closed) -> None:
        last: ServerFrame
        if closed.reason == "restart":
            last = Goaway(retry_after_ms=GOAWAY_RETRY_MS)
        else:
            last = StreamError(topic=closed.topic, code=closed.reason, detail=closed.detail)
        with anyio.move_on_after(LAST_SECONDS) as limit, suppress(WebSocketDisconnect):
            await self._send(last)
            await self._websocket.close(CLOSE_CODES[closed.reason], closed.reason)
        if limit.cancelled_caught:
            hang_up(self._websocket.scope)

    async def _read(self, tasks: anyio.abc.TaskGroup) -> None:
        self._epoch = await patiently(self._read_epoch)
        await self._send(
            Hello(
                protocol=SUBPROTOCOL,
                server_version=__version__,
                epoch=self._epoch,
                heartbeat_seconds=HEARTBEAT_SECONDS,
                limits=limits_of(self._state["settings"]),
            )
        )
        window, frames = anyio.current_time(), 0
        while True:
            message = await self._receive()
            now = anyio.current_time()
            if now - window >= MINUTE:
                window, frames = now, 0
            frames += 1
            if frames > MAX_FRAMES_PER_MINUTE:
                raise Closed("too_many", f"more than {MAX_FRAMES_PER_MINUTE} frames/min")
            await self._take(message, tasks)

    async def _read_epoch(self) -> UUID:
        async with self._state["database"].reading() as session:
            return await clusters.epoch(session)

    async def _receive(self) -> str:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
        text = message.get("text")
        if not isinstance(text, str):
            raise Closed("malformed", "frames are JSON text, not binary")
        return text

    async def _take(self, message: str, tasks: anyio.abc.TaskGroup) -> None:
        try:
            frame = _FRAME.validate_json(message)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Closed("malformed", f"{place}: {first['msg']}"[:200]) from error
        match frame:
            case Ping(nonce=nonce):
                await self._send(Pong(nonce=nonce))
            case Unsubscribe(topic=topic):
                scope = self._subscriptions.pop(topic, None)
                if scope is not None:
                    scope.cancel()
            case Subscribe():
                await self._subscribe(frame, tasks)

    async def _subscribe(self, frame: Subscribe, tasks: anyio.abc.TaskGroup) -> None:
        topic = frame.topic
        if topic in self._subscriptions:
            await self._send(
                StreamError(topic=topic, code="already_subscribed", detail="unsubscribe first")
            )
            return
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise Closed("too_many", f"more than {MAX_SUBSCRIPTIONS} subscriptions")
        if frame.epoch is not None and frame.epoch != self._epoch:
            raise Closed("unknown_position", "this is another log than yours", topic=topic)
        # Each topic begins in a task of its own: where it has to wait for PostgreSQL, the
        # connection goes on hearing what the client says.
        work: Work = (
            self._follow_owner if topic == "clusters" else partial(self._follow_cluster, frame)
        )
        scope = anyio.CancelScope()
        self._subscriptions[topic] = scope
        tasks.start_soon(self._within, scope, topic, work)

    async def _begin(self, frame: Subscribe) -> tuple[UUID, int]:
        """Say the first word about a topic; give its cluster, and after which event it goes on."""
        topic = frame.topic
        cluster = await patiently(partial(self._cluster_of, topic))
        if frame.after is not None and frame.after > cluster.last_seq:
            raise Closed(
                "unknown_position",
                f"you have {frame.after}, the log ends at {cluster.last_seq}",
                topic=topic,
            )
        if frame.after is None:
            await self._send(ClusterSnapshot(topic=topic, seq=cluster.last_seq, cluster=cluster))
            return cluster.id, cluster.last_seq
        return cluster.id, frame.after

    async def _within(self, scope: anyio.CancelScope, topic: str, work: Work) -> None:
        """Follow a topic. One that cannot be read for now costs nothing but its subscription."""
        with scope:
            try:
                await self._until_closed(work)
            except Unavailable as error:
                await self._send(StreamError(topic=topic, code="unavailable", detail=error.detail))
        if self._subscriptions.get(topic) is scope:
            del self._subscriptions[topic]

    async def _cluster_of(self, topic: str) -> Cluster:
        gone = Closed("no_such_topic", f"no topic {topic!r}", topic=topic)
        if not topic.startswith(CLUSTER_PREFIX):
            raise gone
        try:
            cluster_id = UUID(topic.removeprefix(CLUSTER_PREFIX))
        except ValueError:
            raise gone from None
        async with self._state["database"].reading() as session:
            cluster = await clusters.get(session, self._stream.principal.user.id, cluster_id)
        if cluster is None:
            raise gone
        return cluster

    async def _follow_cluster(self, frame: Subscribe) -> None:
        # What the first word needed is not kept: there may be ten thousand who wait here.
        topic = frame.topic
        cluster_id, after = await self._begin(frame)
        following = follow_cluster(
            self._state["hub"], self._state["database"], cluster_id, after=after
        )
        async with aclosing(following):
            async for item in following:
                match item:
                    case Batch(frame=ready):
                        await self._write(ready)
                    case CaughtUp(seq=seq):
                        await self._send(Bookmark(topic=topic, seq=seq))
                    case FellBehind(first=first, last=last):
                        await self._send(Lagged(topic=topic, from_=first, to=last))
                    case Ended(seq=seq):
                        await self._send(End(topic=topic, seq=seq))

    async def _follow_owner(self) -> None:
        following = follow_owner(
            self._state["hub"], self._state["database"], self._stream.principal.user.id
        )
        async with aclosing(following):
            async for item in following:
                match item:
                    case Snapshots(clusters=living):
                        newest = max((cluster.last_seq for cluster in living), default=0)
                        await self._send(
                            ClustersSnapshot(topic="clusters", seq=newest, clusters=living)
                        )
                    case Batch(frame=ready):
                        await self._write(ready)
                    case CaughtUp(seq=seq):
                        await self._send(Bookmark(topic="clusters", seq=seq))

    async def _send(self, frame: ServerFrame) -> None:
        await self._write(text_frame(frame.model_dump_json(by_alias=True, exclude_none=False)))

    async def _write(self, frame: bytes) -> None:
        try:
            waiting = self._write_frame(frame)
            if waiting is not None:
                await self._stream.send(waiting)
        except OSError as error:
            raise WebSocketDisconnect(1006) from error
