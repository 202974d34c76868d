"""What the stream promises in numbers: limits, heartbeat, close codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyk8s.wire.frames import StreamLimits
from server.config import Settings
from server.transport.guarded_websocket import TOO_MANY

MAX_FRAME_BYTES: Final = 64 * 1024
MAX_SUBSCRIPTIONS: Final = 64
MAX_FRAMES_PER_MINUTE: Final = 240
HEARTBEAT_SECONDS: Final = 10.0
"""A topic with nothing new gets a `bookmark` this often."""

PING_SECONDS: Final = 20
"""Between two pings of the WebSocket (RFC 6455, 5.5.2), which every library answers by itself."""

PONG_SECONDS: Final = 10
"""A ping without an answer for so long closes the connection."""

GOAWAY_RETRY_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Closing:
    """A close code: what it means, and what a client does then."""

    code: int
    meaning: str
    then: str


CLOSINGS: Final[Mapping[str, Closing]] = {
    "restart": Closing(
        1012, "the server restarts", "reconnect after `retry_after_ms` of `goaway`, with the cursor"
    ),
    "slow": Closing(
        4408,
        "nothing could be sent for 15 s; who reads nothing at all sees 1006, since this code does "
        "not get out either",
        "reconnect with the cursor",
    ),
    "too_many": Closing(
        TOO_MANY,
        "too many subscriptions, frames, or small frames (pings, pongs, continuations: 600 a "
        "minute)",
        "reconnect with the cursor, later, and ask less",
    ),
    "malformed": Closing(
        4500, "a frame that cannot be understood", "stop: the client has a defect"
    ),
    "unauthenticated": Closing(
        4501, "not signed in, or no longer", "stop: sign in, then connect with the cursor"
    ),
    "forbidden": Closing(4503, "not allowed", "stop"),
    "no_such_topic": Closing(
        4504, "no such topic", "stop: the cluster does not exist, or is somebody else's"
    ),
    "unknown_position": Closing(
        4510,
        "the epoch or the position is not known",
        "forget cursor, epoch and what came of them; connect, and subscribe without both: a "
        "snapshot comes",
    ),
}
"""4000 to 4499: reconnect with the cursor. 4500 to 4999: stop, something must change first."""

CLOSE_CODES: Final[Mapping[str, int]] = {
    reason: closing.code for reason, closing in CLOSINGS.items()
}

TERMINAL_CLOSINGS: Final[Mapping[str, Closing]] = {
    "exit": Closing(1000, "the terminal has ended; an `exit` frame came before", "stop"),
    "restart": Closing(
        1012,
        "the server restarts",
        "reconnect with the session and the offset; where the shell ended with the server: 4504",
    ),
    "slow": Closing(
        4408,
        "output was not taken or acknowledged, or the shell did not take input, in 15 s",
        "reconnect with the session and the offset",
    ),
    "too_many": Closing(
        4429, "too many small frames (pings, pongs, continuations: 600 a minute)", "the same, later"
    ),
    "malformed": Closing(
        4500, "a frame that cannot be understood", "stop: the client has a defect"
    ),
    "unauthenticated": Closing(4501, "no longer signed in", "stop: sign in"),
    "no_such_session": Closing(
        4504,
        "no such terminal: it ended more than a minute ago, or the server was restarted",
        "stop: open another one",
    ),
    "refused": Closing(
        4505, "no shell could be opened; an `error` frame came before and says why", "stop"
    ),
    "unknown_position": Closing(
        4510,
        "the terminal has not put out so much",
        "stop: forget the offset, attach without one",
    ),
}
"""Of a terminal. The ranges mean the same as for the stream."""

TERMINAL_CODES: Final[Mapping[str, int]] = {
    reason: closing.code for reason, closing in TERMINAL_CLOSINGS.items()
}


LIMITS: Final = StreamLimits(
    max_frame_bytes=MAX_FRAME_BYTES,
    max_streams=Settings.model_fields["streams_per_user"].default,
    max_subscriptions=MAX_SUBSCRIPTIONS,
    max_frames_per_minute=MAX_FRAMES_PER_MINUTE,
)
"""As long as nobody sets others; the hello tells those that hold."""


def limits_of(settings: Settings) -> StreamLimits:
    """Tell a client what it may do here."""
    return LIMITS.model_copy(update={"max_streams": settings.streams_per_user})


class Closed(Exception):
    """The connection is to be closed for a reason that is in `CLOSE_CODES`."""

    def __init__(self, reason: str, detail: str, *, topic: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.topic = topic
