"""What an application may do with the connection that a request came over."""

from collections.abc import MutableMapping
from typing import Any, Final

HANG_UP: Final = "pyk8s.hang_up"
"""The extension of the ASGI scope under which the connection can be ended at once."""


def hang_up(scope: MutableMapping[str, Any]) -> None:
    """End a connection without waiting for what its peer does not take.

    A close in good order waits until everything sent before has been taken, which a peer that
    reads a byte now and then can drag out for hours.
    """
    end = scope.get("extensions", {}).get(HANG_UP)
    if end is not None:
        end()
