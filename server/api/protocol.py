"""What the stream promises in numbers: limits, heartbeat, close codes."""

from collections.abc import Mapping
from typing import Final

from pyk8s.wire.frames import StreamLimits
from server.config import Settings

MAX_FRAME_BYTES: Final = 64 * 1024
MAX_SUBSCRIPTIONS: Final = 64
MAX_FRAMES_PER_MINUTE: Final = 240
HEARTBEAT_SECONDS: Final = 10.0
"""A topic with nothing new gets a `bookmark` this often."""

GOAWAY_RETRY_MS: Final = 500

CLOSE_CODES: Final[Mapping[str, int]] = {
    "restart": 1012,
    "slow": 4408,
    "too_many": 4429,
    "malformed": 4500,
    "unauthenticated": 4501,
    "forbidden": 4503,
    "no_such_topic": 4504,
    "unknown_position": 4510,
}
"""4000 to 4499: reconnect with the cursor. 4500 to 4999: stop, something must change first."""


def limits_of(settings: Settings) -> StreamLimits:
    """Tell a client what it may do here."""
    return StreamLimits(
        max_frame_bytes=MAX_FRAME_BYTES,
        max_streams=settings.streams_per_user,
        max_subscriptions=MAX_SUBSCRIPTIONS,
        max_frames_per_minute=MAX_FRAMES_PER_MINUTE,
    )


class Closed(Exception):
    """The connection is to be closed for a reason that is in `CLOSE_CODES`."""

    def __init__(self, reason: str, detail: str, *, topic: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.topic = topic
