"""What a gate decides about a request; relays and tunnels do what it says."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from anyio.abc import ByteStream

from server.proxy.openings import Open
from server.proxy.refusals import Headers, OwnAnswer
from server.proxy.upgrades import Upgrade


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. `path` and `query` are its bytes, unread."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    peer: str
    """The address that the connection came from."""
    upgrade: Upgrade | None = None
    """The protocol that the connection is to be upgraded to."""

    @property
    def is_upgrade(self) -> bool:
        """Whether the connection becomes a tunnel."""
        return self.upgrade is not None


def peer_of(scope: Mapping[str, Any]) -> str:
    """Return the address that the connection of a request came from, from its ASGI scope."""
    client = scope.get("client")
    return str(client[0]) if client else ""


@dataclass(frozen=True, slots=True)
class Passage:
    """Where a request goes, and as what."""

    base: str
    """`https://HOST:PORT`."""
    target: bytes
    """Path and query."""
    headers: Headers
    """All that passes, without those of the body, the host and the upgrade."""
    give_back: Callable[[Iterable[tuple[bytes, bytes]]], Headers]
    """What of an answer's headers passes."""
    session: aiohttp.ClientSession
    dial: Callable[[], Awaitable[ByteStream]]
    """Opens a connection of its own, for an upgrade. Raises OSError."""
    host: bytes
    """Of the Host header."""
    opened: Callable[[], AbstractContextManager[Open]]
    unanswered: Callable[[str], OwnAnswer]
    """Gives the answer for a request that was passed on and got none; takes what happened."""
    log: dict[str, str]
    """What the server's log tells of an upgrade."""
    inspect: Callable[[bytes], bytes] | None = None
    """Takes the whole body of a request and returns the one that passes; raises OwnAnswer. None:
    the body passes unread."""
    is_long_running: bool = False
    """Whether the answer may begin at any time, as that to `kubectl logs -f` does."""


class Gate(Protocol):
    """Decides about each request of a listener."""

    upgrades: frozenset[Upgrade]
    """Protocols that connections may be upgraded to."""

    async def admit(self, asked: Asked) -> Passage:
        """Find where a request goes.

        Raises:
            OwnAnswer: it is not passed on.
        """

    def stop(self) -> None:
        """End all that is open: the server stops."""
