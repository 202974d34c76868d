"""Which small network a cluster gets. Pure, but for the reading of the host's routes."""

import socket
import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Final

from server.drivers.base import DriverError, Explanation

PREFIX_LENGTH: Final = 27
"""30 addresses: a gateway, the nodes, and the server's own container."""
ROUTES: Final = Path("/proc/net/route")


def free_subnets(
    pool: str, taken: Iterable[str], *, start: int, length: int = PREFIX_LENGTH
) -> Iterator[IPv4Network]:
    """Give the subnets of the pool that overlap nothing taken, beginning at the `start`-th.

    Different starts keep two servers of one host from always trying the same one first.
    """
    whole = IPv4Network(pool)
    others = [network for network in map(_ipv4, taken) if network and network.overlaps(whole)]
    count = 1 << (length - whole.prefixlen)
    size = 1 << (32 - length)
    for number in range(count):
        first = int(whole.network_address) + (start + number) % count * size
        subnet = IPv4Network((first, length))
        if not any(subnet.overlaps(other) for other in others):
            yield subnet


def check_pool(pool: str) -> None:
    """Make sure that a pool is one.

    Raises:
        DriverError: it is no IPv4 network, or smaller than one cluster's network.
    """
    try:
        if IPv4Network(pool).prefixlen > PREFIX_LENGTH:
            raise ValueError(f"{pool} is smaller than a /{PREFIX_LENGTH}")
    except ValueError as error:
        raise DriverError(
            Explanation(
                code="bad_network_pool",
                title="PYK8S_NETWORK_POOL cannot be used",
                cause=str(error),
                fix=f"give an IPv4 network of at least /{PREFIX_LENGTH}, such as 10.210.0.0/16",
            )
        ) from error


def routed(table: str) -> list[str]:
    """Read the networks, but the default, that the kernel's table of routes names."""
    networks = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if int(fields[7], 16):
            networks.append(f"{_address(fields[1])}/{_address(fields[7])}")
    return networks


def host_routes() -> list[str]:
    """Read the networks that this host reaches; nothing where there is no such table."""
    try:
        return routed(ROUTES.read_text())
    except OSError:
        return []


def _address(hexadecimal: str) -> str:
    return socket.inet_ntoa(struct.pack("<L", int(hexadecimal, 16)))


def _ipv4(text: str) -> IPv4Network | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    return network if isinstance(network, IPv4Network) else None
