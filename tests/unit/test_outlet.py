"""The way out of a connection."""

from types import SimpleNamespace
from typing import Any

from server.api.outlet import Outlet
from server.api.streams import Streams
from server.transport.connection import FRAMES


class FullWriter:
    """Takes nothing until somebody waits for it; then its client leaves the topic."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.has_room = False
        self.is_wanted = True

    def write_frame(self, frame: bytes) -> bool:
        if self.has_room:
            self.sent.append(frame)
        return self.has_room

    async def taken(self) -> None:
        self.has_room = True
        self.is_wanted = False


async def test_what_waits_for_room_is_not_sent_to_who_has_left_meanwhile() -> None:
    principal: Any = SimpleNamespace(user=SimpleNamespace(id=1))
    for asks, sent in ((True, []), (False, [b"frame"])):
        writer = FullWriter()
        websocket: Any = SimpleNamespace(scope={"extensions": {FRAMES: writer}})
        with Streams(1).admit(principal) as stream:
            outlet = Outlet(websocket, stream)
            if asks:
                await outlet.write(b"frame", is_wanted=lambda: writer.is_wanted)  # noqa: B023
            else:
                await outlet.write(b"frame")
        assert writer.sent == sent
