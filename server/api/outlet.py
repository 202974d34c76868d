"""The way out of one connection of the stream: frames go whole, and at once where they can."""

from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from pyk8s.wire.frames import ServerFrame
from server.api.state import State
from server.api.streams import Stream
from server.fanout.frames import ready
from server.transport.connection import frame_writer


class Outlet:
    """Sends to one client. Whoever sends needs no lock: a frame is written with one call."""

    __slots__ = ("_stream", "_writer")

    def __init__(self, websocket: WebSocket[State], stream: Stream) -> None:
        self._writer = frame_writer(websocket.scope)
        self._stream = stream

    async def send(self, frame: ServerFrame) -> None:
        """Write a frame and send it. Raises as `write`."""
        await self.write(ready(frame))

    async def write(self, frame: bytes, *, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Send a frame that is ready; wait until the client has taken what came before.

        `is_wanted`: asked right before it would be sent.

        Raises:
            WebSocketDisconnect: there is nobody any more.
        """
        try:
            while is_wanted() and not self._writer.write_frame(frame):
                await self._stream.send(self._writer.taken())
        except OSError as error:
            raise WebSocketDisconnect(1006) from error

    def write_now(self, frame: bytes) -> bool:
        """Send a frame if that needs no waiting. False: it does, or there is nobody any more."""
        try:
            return self._writer.write_frame(frame)
        except OSError:
            return False
