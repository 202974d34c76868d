"""uvicorn's WebSocket with the limits that it lacks: time, sizes, numbers of small frames.

It ends a connection at once where a close in good order would wait for its peer, and tells the
application how to do so (`server.transport.connection.hang_up`).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import OPEN

from server.transport.connection import FRAMES, HANG_UP

CLOSE_SECONDS: Final = 5.0
"""So long a peer may take to answer a close, and to take what was sent before it."""

STOP_SECONDS: Final = 1.0
"""The same when the server stops, after the time that its streams had for their last words."""

SLICE_BYTES: Final = 2048
"""Read in such pieces, a flood of tiny frames waits as bytes and not as objects."""

SMALL_FRAMES_PER_MINUTE: Final = 600
"""Pings, pongs and continuations together. Clients send a ping every 20 s or none."""

MAX_AFTER_CLOSE_BYTES: Final = 64 * 1024
MINUTE: Final = 60.0
BAD_UTF8: Final = 1007
TOO_MANY: Final = 4429
"""The close code for who is too busy; what it means is in the protocol of the stream."""


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket with a peer that may flood, stall, or send what is no frame."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSE_SECONDS
        self._unread = bytearray()
        self._has_failed = False
        self._after_close = 0
        self._small_frames = 0
        self._window = self.loop.time()
        self._abortion: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was not read."""
        self._unread.clear()
        if self._abortion is not None:
            self._abortion.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what comes, in small pieces, as fast as the application reads."""
        if self._has_failed:
            return
        if self.close_sent:
            self._after_close += len(data)
            if self._after_close > MAX_AFTER_CLOSE_BYTES:
                return  # only the peer's close is waited for; this is none
        elif self.handshake_initiated and not self.handshake_complete:
            self.transport.abort()  # it speaks before it was let in
            return
        self._unread += data
        self._feed()

    async def receive(self) -> ASGIReceiveEvent:
        """Give the next message, and take in the next piece when there is none."""
        message = await super().receive()
        self._feed()
        return message

    async def send(self, message: ASGISendEvent) -> None:
        """Send; after a close, look at what the peer has said since.

        Raises:
            ClientDisconnected: the connection was ended here, and the application has not read so.
        """
        await self.writable.wait()
        if self._has_failed:
            raise ClientDisconnected
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # refused, which is complete as well
        elif self.close_sent:
            self._feed()

    def write_frame(self, frame: bytes) -> bool:
        """Write a frame that is whole already, if there is room for it.

        Raises:
            ClientDisconnected: the connection has ended.
        """
        if self.conn.state is not OPEN or self.disconnected or self._has_failed:
            raise ClientDisconnected
        if not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True

    async def taken(self) -> None:
        """Wait until there is room again, or the connection has ended."""
        await self.writable.wait()

    def handle_connect(self, event: Request) -> None:
        """Give the application a way to hang up."""
        super().handle_connect(event)
        if not self.close_sent:
            ways: dict[Any, Any] = {
                **(self.scope["extensions"] or {}),
                HANG_UP: self.transport.abort,
                FRAMES: self,
            }
            self.scope["extensions"] = ways

    def handle_ping(self) -> None:
        """Answer, up to a number."""
        self._count_small_frame(super().handle_ping)

    def handle_pong(self, event: Frame) -> None:
        """Take note, up to a number."""
        self._count_small_frame(lambda: super(GuardedWebSocket, self).handle_pong(event))

    def handle_cont(self, event: Frame) -> None:
        """Collect a message, up to a number of pieces: they may be empty, so size is no limit."""
        self._count_small_frame(lambda: super(GuardedWebSocket, self).handle_cont(event))

    def send_receive_event_to_app(self) -> None:
        """Hand a message on. What is no UTF-8 is answered with 1007, and not told in the log."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                self.frames = [b"".join(self.frames)]
                self.frames[0].decode()
            except UnicodeDecodeError:
                self.frames = []
                self._fail(BAD_UTF8, "not UTF-8")
                return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Close, as uvicorn does, but let the close frame arrive.

        What is still unread when a connection is closed makes the kernel reset it, and a reset
        overtakes the frame that says why.
        """
        closed = self.conn.close_sent
        self._has_failed = True
        if closed is None:
            self.transport.abort()
            return
        event = {"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason}
        self.queue.put_nowait(event)  # type: ignore[arg-type]
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._unread.clear()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        if not self.transport.is_closing():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """Hang up: who does not answer a ping does not take a close frame either."""
        super().keepalive_timeout()
        self._has_failed = True
        self.transport.abort()

    def shutdown(self) -> None:
        """Close, and do not wait for long."""
        super().shutdown()
        self._abort_soon(STOP_SECONDS)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """See that the connection goes as well when the application is done with it."""
        super().on_task_complete(task)
        self._abort_soon(CLOSE_SECONDS + 1)

    def _feed(self) -> None:
        while self._unread and not self.read_paused:
            piece = bytes(self._unread[:SLICE_BYTES])
            del self._unread[:SLICE_BYTES]
            super().data_received(piece)
        if not (self.handshake_initiated or self.transport.is_closing()):
            # The head is no handshake, and websockets has written why: it raises nothing.
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def _count_small_frame(self, handle: Callable[[], None]) -> None:
        if self.close_sent:
            return
        now = self.loop.time()
        if now - self._window >= MINUTE:
            self._window, self._small_frames = now, 0
        self._small_frames += 1
        if self._small_frames > SMALL_FRAMES_PER_MINUTE:
            self._fail(TOO_MANY, "too_many")
        else:
            handle()

    def _fail(self, code: int, reason: str) -> None:
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def _abort_soon(self, seconds: float) -> None:
        if self.disconnected:
            return
        if self._abortion is not None:
            if self._abortion.when() <= self.loop.time() + seconds:
                return
            self._abortion.cancel()
        self._abortion = self.loop.call_later(seconds, self.transport.abort)
