"""The WebSocket /api/v1/stream: subscribe, snapshot or replay, live, end."""

from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

import anyio
from pydantic import TypeAdapter
from starlette.websockets import WebSocket, WebSocketDisconnect

from pyk8s.wire.accounts import Scope
from pyk8s.wire.frames import (
    SUBPROTOCOL,
    ClientFrame,
    Goaway,
    Hello,
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
from server.api.outlet import Outlet
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
from server.api.subscription import (
    ALL,
    ClusterSubscription,
    OwnerSubscription,
    Sources,
    Subscription,
    Work,
)
from server.api.wire import parse_frame
from server.errors import Unavailable, ValidationFailed
from server.store import clusters
from server.telemetry import get_logger
from server.transport.connection import hang_up

log = get_logger(__name__)

MINUTE: Final = 60.0

_FRAME: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)


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
    """One client and its subscriptions, which work in tasks of the hub's."""

    __slots__ = ("_epoch", "_outlet", "_sources", "_stream", "_subscriptions", "_websocket")

    def __init__(self, websocket: WebSocket[State], stream: Stream) -> None:
        self._websocket = websocket
        self._stream = stream
        self._outlet = Outlet(websocket, stream)
        self._subscriptions: dict[str, Subscription] = {}
        self._epoch: UUID | None = None
        self._sources = Sources(
            hub=websocket.state["hub"],
            database=websocket.state["database"],
            owner_id=stream.principal.user.id,
            outlet=self._outlet,
            start=self._start,
        )

    async def serve(self) -> None:
        """Talk until one side has enough."""
        is_gone = False
        try:
            with self._stream.scope:
                await self._read()
        except Closed as closed:
            self._stream.end(closed)
        except WebSocketDisconnect:
            is_gone = True  # there is nobody to tell
        finally:
            for topic in tuple(self._subscriptions):
                self._unsubscribe(topic)
        if self._stream.ended is not None and not is_gone:
            await self._close(self._stream.ended)

    async def _close(self, closed: Closed) -> None:
        last: ServerFrame
        if closed.reason == "restart":
            last = Goaway(retry_after_ms=GOAWAY_RETRY_MS)
        else:
            last = StreamError(topic=closed.topic, code=closed.reason, detail=closed.detail)
        with anyio.move_on_after(LAST_SECONDS) as limit, suppress(WebSocketDisconnect):
            await self._outlet.send(last)
            await self._websocket.close(CLOSE_CODES[closed.reason], closed.reason)
        if limit.cancelled_caught:
            hang_up(self._websocket.scope)

    async def _read(self) -> None:
        self._epoch = await patiently(self._read_epoch)
        await self._outlet.send(
            Hello(
                protocol=SUBPROTOCOL,
                server_version=__version__,
                epoch=self._epoch,
                heartbeat_seconds=HEARTBEAT_SECONDS,
                limits=limits_of(self._websocket.state["settings"]),
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
            await self._take(message)

    async def _read_epoch(self) -> UUID:
        async with self._websocket.state["database"].reading() as session:
            return await clusters.epoch(session)

    async def _receive(self) -> str:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005), message.get("reason"))
        text = message.get("text")
        if not isinstance(text, str):
            raise Closed("malformed", "frames are JSON text, not binary")
        return text

    async def _take(self, message: str) -> None:
        try:
            frame = parse_frame(_FRAME, message)
        except ValueError as error:
            raise Closed("malformed", str(error)) from error
        match frame:
            case Ping(nonce=nonce):
                await self._outlet.send(Pong(nonce=nonce))
            case Unsubscribe(topic=topic):
                self._unsubscribe(topic)
            case Subscribe():
                await self._subscribe(frame)

    async def _subscribe(self, frame: Subscribe) -> None:
        topic = frame.topic
        if topic in self._subscriptions:
            await self._outlet.send(
                StreamError(topic=topic, code="already_subscribed", detail="unsubscribe first")
            )
            return
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise Closed("too_many", f"more than {MAX_SUBSCRIPTIONS} subscriptions")
        if frame.epoch is not None and frame.epoch != self._epoch:
            raise Closed("unknown_position", "this is another log than yours", topic=topic)
        # Each topic begins in a task of its own: where it has to wait for PostgreSQL, the
        # connection goes on hearing what the client says.
        subscription = (
            OwnerSubscription(self._sources, topic)
            if topic == ALL
            else ClusterSubscription(self._sources, frame)
        )
        self._subscriptions[topic] = subscription
        self._start(subscription, subscription.begin)

    def _unsubscribe(self, topic: str) -> None:
        subscription = self._subscriptions.pop(topic, None)
        if subscription is not None:
            subscription.end()

    def _start(self, subscription: Subscription, work: Work) -> None:
        self._sources.hub.start(partial(self._work, subscription, work))

    async def _work(self, subscription: Subscription, work: Work) -> None:
        """Follow a topic. One that cannot be read for now costs nothing but its subscription."""
        topic = subscription.topic
        try:
            with subscription.working():
                await work()
        except Closed as closed:  # the first to say why ends all of the connection
            self._stream.end(closed)
        except Unavailable as error:
            subscription.end()
            refused = StreamError(topic=topic, code="unavailable", detail=error.detail)
            with suppress(WebSocketDisconnect):
                await self._outlet.send(refused)
        except WebSocketDisconnect:
            subscription.end()  # who reads from the client hears of it too
        except Exception:  # a defect in one must not end what serves all
            log.exception("subscription_broke", topic=topic)
            hang_up(self._websocket.scope)
        if subscription.is_over and self._subscriptions.get(topic) is subscription:
            del self._subscriptions[topic]
