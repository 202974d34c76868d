"""Devices in which an account has signed in before; a stranger's wrong tries spare them."""

import hmac
import secrets

from server.secrets import Sealer

PURPOSE = "known device"
NONCE_BYTES = 16
MAX_COOKIE_LENGTH = 128


class Devices:
    """Signs and recognises what a browser keeps after a sign-in. It opens no session.

    A device has wrong tries of its own (`Throttle`), which start where nobody else counts. See
    "device cookies" in OWASP's guide on slowing down online guessing.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._key = sealer.derive(PURPOSE)

    def issue(self, username: str) -> str:
        """Return a new mark for a browser in which the account has signed in."""
        nonce = secrets.token_hex(NONCE_BYTES)
        return f"{nonce}.{self._signature(nonce, username)}"

    def recognise(self, mark: str, username: str) -> str | None:
        """Return the device's id if the mark was issued for this account, else None."""
        nonce, _, signature = mark[:MAX_COOKIE_LENGTH].partition(".")
        expected = self._signature(nonce, username)
        return nonce if hmac.compare_digest(signature.encode(), expected.encode()) else None

    def _signature(self, nonce: str, username: str) -> str:
        return hmac.digest(self._key, f"{nonce}.{username}".encode(), "sha256").hex()
