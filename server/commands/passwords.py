"""Password hashing, off the event loop and behind a bounded, fair line."""

from contextlib import AbstractAsyncContextManager
from ipaddress import IPv6Address, ip_address, ip_network
from secrets import choice

import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from server.commands.line import Line, Share
from server.secrets import new_secret

AT_ONCE = 2
"""Each takes a core and 19 MiB for some 20 ms."""
MOST_WAITING = 64
"""More would only wait longer than a person does: some seconds on two busy cores."""
MOST_WAITING_OF_A_DEVICE = 4
"""A person who presses the button again."""
IPV4_NETWORK_BITS = (24, 32)
IPV6_NETWORK_BITS = (48, 56, 64)
"""Sizes of networks that one customer of a provider has, with all addresses in them."""


class Passwords:
    """Argon2id. The parameters are OWASP's (19 MiB, 2 passes, 1 lane)."""

    def __init__(self, *, memory_kib: int = 19456, passes: int = 2) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._line = Line(
            at_once=AT_ONCE,
            most_waiting=MOST_WAITING,
            most_trusted=MOST_WAITING_OF_A_DEVICE,
            choose=choice,
        )
        self._of_nobody: str | None = None

    def turn(self, share: Share) -> AbstractAsyncContextManager[None]:
        """Wait for a turn to hash, and hold it while the context lasts.

        What belongs to the hash in the database is done within the turn: otherwise a flood would
        take the connections that others need.

        Raises:
            SignInBusy: too many wait already.
        """
        return self._line.turn(share)

    async def hash(self, password: str) -> str:
        """Return the hash to keep for a password."""
        return await anyio.to_thread.run_sync(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Return whether the password made `stored`; takes as long when there is nothing stored."""
        return await anyio.to_thread.run_sync(self._verify, password, stored)

    def _verify(self, password: str, stored: str | None) -> bool:
        if stored is None and self._of_nobody is None:
            self._of_nobody = self._hasher.hash(new_secret())
        try:
            is_right = self._hasher.verify(stored or self._of_nobody or "", password)
        except VerificationError:
            return False
        return is_right and stored is not None


def share_of_device(username: str) -> Share:
    """Return the one share of all devices in which an account has signed in before."""
    return Share((username,), is_trusted=True)


def share_of_address(purpose: str, address: str) -> Share:
    """Return the share of an address for a purpose.

    Behind a reverse proxy everybody has the proxy's address. So registrations never share with
    sign-ins: a flood of one leaves the other alone.
    """
    return Share((purpose, *_networks_of(address)))


def _networks_of(address: str) -> tuple[str, ...]:
    """Return the networks that an address is in, the widest first."""
    try:
        found = ip_address(address)
    except ValueError:
        return (address,)
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    sizes = IPV6_NETWORK_BITS if isinstance(found, IPv6Address) else IPV4_NETWORK_BITS
    return tuple(str(ip_network((found, bits), strict=False)) for bits in sizes)
