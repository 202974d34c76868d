"""What an application may do with the connection that a request came over."""

from collections.abc import MutableMapping
from typing import Any, Final, Protocol

from websockets.frames import Frame, Opcode

HANG_UP: Final = "pyk8s.hang_up"
"""The extension of the ASGI scope under which the connection can be ended at once."""

CUT: Final = "pyk8s.cut"
"""The extension under which a connection can be ended in the middle of an answer."""

TAKE_TIME: Final = "pyk8s.take_time"
"""The extension under which the limit on the time of a whole request can be lifted."""

FRAMES: Final = "pyk8s.frames"
"""The extension under which frames of `text_frame` can be written to a WebSocket."""


class FrameWriter(Protocol):
    """A WebSocket that takes frames as they are."""

    def write_frame(self, frame: bytes) -> bool:
        """Write at once. False: not now, the peer has not taken what came before.

        Raises:
            OSError: the connection has ended.
        """

    async def taken(self) -> None:
        """Wait until the peer has taken enough for more to be written."""


def text_frame(text: str) -> bytes:
    """Write a message as the bytes of its WebSocket frame (RFC 6455, 5.2).

    What a server sends is not masked, and here not compressed: so it is the same for everybody,
    and written once however many it goes to.
    """
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def frame_writer(scope: MutableMapping[str, Any]) -> FrameWriter:
    """Give the way to write ready-made frames to the WebSocket of this scope."""
    writer: FrameWriter = scope["extensions"][FRAMES]
    return writer


def take_time(scope: MutableMapping[str, Any]) -> None:
    """Let a request's body take as long as it takes. The application then watches it itself.

    To be said only of a caller who is known, and of a body that is long by its nature.
    """
    _ask(scope, TAKE_TIME)


def cut(scope: MutableMapping[str, Any]) -> None:
    """End a connection in the middle of an answer, once what was sent of it has been taken.

    The client hears that it has not got all of it.
    """
    _ask(scope, CUT)


def hang_up(scope: MutableMapping[str, Any]) -> None:
    """End a connection without waiting for what its peer does not take.

    A close in good order waits until everything sent before has been taken, which a peer that
    reads a byte now and then can drag out for hours.
    """
    _ask(scope, HANG_UP)


def _ask(scope: MutableMapping[str, Any], extension: str) -> None:
    way = scope.get("extensions", {}).get(extension)
    if way is not None:  # other servers have none of these
        way()
