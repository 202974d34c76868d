"""Connections that are taken, and those that are refused before a byte of them is read."""

import asyncio
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from server.config import Settings
from server.telemetry import get_logger
from server.transport.listening import most_connections

HANDSHAKE_SECONDS: Final = 5.0
"""So long the handshake of TLS may take; its end after the last byte as well."""

ACCEPTED_AT_ONCE: Final = 64
"""Between two looks at everything else that there is to do."""

PAUSE_SECONDS: Final = 1.0
"""Nothing is accepted for so long where the system has no file or memory for a connection."""

TOLD_EVERY_SECONDS: Final = 60.0
"""Refusals go to the log together, or they would fill it."""

IPV6_PREFIX: Final = 64
"""One machine has so much of an IPv6 address to itself."""

CLUSTER_NETWORK: Final = "from_a_cluster_network"
TOO_MANY: Final = "too_many"
TOO_MANY_FROM_ADDRESS: Final = "too_many_from_this_address"

_RESET: Final = struct.pack("ii", 1, 0)
Address = IPv4Address | IPv6Address

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AcceptPolicy:
    """Which connections a port takes."""

    network_pool: str
    """Where the networks of clusters are cut from. Nothing in a cluster needs this server."""
    per_port: int
    per_address: int


def policy_of(settings: Settings) -> AcceptPolicy:
    """Return what an operator chose, within what the system allows."""
    per_port = settings.connections_per_port or most_connections()
    return AcceptPolicy(
        settings.network_pool, per_port, min(per_port, settings.connections_per_address)
    )


class Connections:
    """The open connections of one port. Nothing here waits."""

    def __init__(self, policy: AcceptPolicy) -> None:
        self._policy = policy
        self._pool = ip_network(policy.network_pool)
        self._total = 0
        self._by_peer: Counter[object] = Counter()

    def refusal(self, local: str, peer: str) -> str | None:
        """Return why a connection between two addresses is refused. None: it is not."""
        if any(_address(each) in self._pool for each in (local, peer)):
            return CLUSTER_NETWORK
        if self._total >= self._policy.per_port:
            return TOO_MANY
        if self._by_peer[_machine(peer)] >= self._policy.per_address:
            return TOO_MANY_FROM_ADDRESS
        return None

    def opened(self, peer: str) -> None:
        """Count a connection."""
        self._total += 1
        self._by_peer[_machine(peer)] += 1

    def closed(self, peer: str) -> None:
        """Count it no longer."""
        machine = _machine(peer)
        self._total -= 1
        self._by_peer[machine] -= 1
        if not self._by_peer[machine]:
            del self._by_peer[machine]


class Acceptor:
    """Takes the connections of a listening socket; to uvicorn it is one of asyncio's servers."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        policy: AcceptPolicy,
        tls: ssl.SSLContext | None,
    ) -> None:
        """Begin. `protocol`: makes what speaks on a connection, after the handshake of `tls`."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._protocol = protocol
        self._tls = tls
        self._connections = Connections(policy)
        self._opening: set[asyncio.Task[None]] = set()
        self._refused: Counter[str] = Counter()
        self._pause: asyncio.TimerHandle | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._is_closed = False
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Take nobody new, and end the handshakes that are not complete."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._pause is not None:
            self._pause.cancel()
        else:
            self._loop.remove_reader(self._listener)
        self._tell()
        self._listener.close()
        for task in self._opening:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until no handshake is left."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, peer = self._listener.accept()
                local = accepted.getsockname()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:
                log.warning("cannot_accept", reason=error.strerror)
                self._loop.remove_reader(self._listener)
                self._pause = self._loop.call_later(PAUSE_SECONDS, self._go_on)
                return
            reason = self._connections.refusal(local[0], peer[0])
            if reason is None:
                self._open(accepted, peer[0])
            else:
                self._refuse(accepted, reason)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def _open(self, accepted: socket.socket, peer: str) -> None:
        self._connections.opened(peer)
        connection = _Counted(accepted, lambda: self._connections.closed(peer))
        task = self._loop.create_task(self._connect(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, connection: socket.socket) -> None:
        seconds = HANDSHAKE_SECONDS if self._tls is not None else None
        with suppress(OSError):  # no handshake of TLS came, or none that is one
            await self._loop.connect_accepted_socket(
                self._protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=seconds,
            )

    def _refuse(self, accepted: socket.socket, reason: str) -> None:
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        accepted.close()
        self._refused[reason] += 1
        if self._telling is None:  # the first one is told of at once
            self._tell()
            self._telling = self._loop.call_later(TOLD_EVERY_SECONDS, self._tell)

    def _tell(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        for reason, count in self._refused.items():
            log.warning(
                "connections_refused",
                reason=reason,
                count=count,
                port=self._listener.getsockname()[1],
            )
        self._refused.clear()


class _Counted(socket.socket):
    """The socket of a connection, which tells when the connection ends.

    The transport of a connection lets go of its socket at its end, whatever protocol speaks on it
    then: uvloop detaches it, asyncio closes it.
    """

    def __init__(self, accepted: socket.socket, ended: Callable[[], None]) -> None:
        family, kind, number = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, number, fileno=accepted.detach())
        self._ended: Callable[[], None] | None = ended
        self.setblocking(False)

    def close(self) -> None:
        """Close, and tell."""
        super().close()
        self._tell()

    def detach(self) -> int:
        """Detach, and tell."""
        number = super().detach()
        self._tell()
        return number

    def _tell(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()


def _address(text: str) -> Address:
    """Return the address, and the IPv4 one of a peer that an IPv6 socket names `::ffff:1.2.3.4`."""
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def _machine(peer: str) -> Any:
    """Return what the connections of one machine have in common."""
    address = _address(peer)
    if isinstance(address, IPv6Address):
        return IPv6Network((int(address), IPV6_PREFIX), strict=False)
    return address
