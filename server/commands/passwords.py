"""Password hashing, off the event loop and behind a bounded, fair line."""

from contextlib import AbstractAsyncContextManager
from ipaddress import IPv6Address, ip_address, ip_network

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
NETWORK_BITS = 64
"""An IPv6 network of this size is one customer's."""


class Passwords:
    """Argon2id. The parameters are OWASP's (19 MiB, 2 passes, 1 lane)."""

    def __init__(self, *, memory_kib: int = 19456, passes: int = 2) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._line = Line(
            at_once=AT_ONCE, most_waiting=MOST_WAITING, most_trusted=MOST_WAITING_OF_A_DEVICE
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
    """Return the share of the devices in which an account has signed in before."""
    return Share(("device", username), is_trusted=True)


def share_of_address(purpose: str, address: str) -> Share:
    """Return the share of an address for a purpose.

    Behind a reverse proxy everybody has the proxy's address. So registrations never share with
    sign-ins: a flood of one leaves the other alone.
    """
    return Share((purpose, _network_of(address)))


def _network_of(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), NETWORK_BITS), strict=False))
