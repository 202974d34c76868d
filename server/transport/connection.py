"""What an application may do with the connection that a request came over."""

from collections.abc import MutableMapping
from typing import Any, Final

HANG_UP: Final = "pyk8s.hang_up"
"""The extension of the ASGI scope under which the connection can be ended at once."""

TAKE_TIME: Final = "pyk8s.take_time"
"""The extension under which the limit on the time of a whole request can be lifted."""


def take_time(scope: MutableMapping[str, Any]) -> None:
    """Let a request's body take as long as it takes. The application then watches it itself.

    To be said only of a caller who is known, and of a body that is long by its nature.
    """
    lift = scope.get("extensions", {}).get(TAKE_TIME)
    if lift is not None:
        lift()


def hang_up(scope: MutableMapping[str, Any]) -> None:
    """End a connection without waiting for what its peer does not take.

    A close in good order waits until everything sent before has been taken, which a peer that
    reads a byte now and then can drag out for hours.
    """
    end = scope.get("extensions", {}).get(HANG_UP)
    if end is not None:
        end()
