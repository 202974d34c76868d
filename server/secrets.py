"""Bearer secrets, and what is kept encrypted."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from server.errors import StartFailed

BEARER_PREFIX = "pyk8s_"
CREDENTIAL_PREFIX = BEARER_PREFIX + "kube_"
"""Of a secret that opens one cluster. The server's API takes none, the proxy no other."""

SECRET_BYTES = 32  # 256 bits; OWASP asks for at least 128 of a session id


def new_secret(prefix: str = "") -> str:
    """Make an opaque secret of 256 bits."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """Give what the database keeps of a secret. It has 256 random bits: no salt, no stretching."""
    return hashlib.sha256(secret.encode()).digest()


class Sealer:
    """Encrypts what must not lie open in the database: the administrators' kubeconfigs."""

    def __init__(self, key: bytes) -> None:
        try:
            self._fernet = Fernet(key)
            self._key = key
        except ValueError as error:
            raise StartFailed(
                "PYK8S_SECRET_KEY is not a key",
                fix="make one: python -c 'from cryptography.fernet import Fernet; "
                "print(Fernet.generate_key().decode())'",
            ) from error

    def derive(self, purpose: str) -> bytes:
        """Give a key of its own for another purpose: 32 bytes that tell nothing of this one."""
        return hmac.digest(self._key, purpose.encode(), "sha256")

    def seal(self, plain: bytes) -> bytes:
        """Encrypt and authenticate."""
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Undo `seal`.

        Raises:
            StartFailed: it was sealed with another key.
        """
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise StartFailed(
                "a stored kubeconfig was encrypted with another key",
                fix="start the server with the data directory or PYK8S_SECRET_KEY of before",
            ) from error


def load_or_make_key(path: Path) -> bytes:
    """Read the key file, making it (mode 0600) when it is not there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    with os.fdopen(descriptor, "wb") as file:
        key = Fernet.generate_key()
        file.write(key)
    return key
