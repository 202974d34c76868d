"""Passwords, bearer secrets and what is kept encrypted."""

import hashlib
import hmac
import os
import secrets
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from cryptography.fernet import Fernet, InvalidToken

from server.errors import StartFailed

BEARER_PREFIX = "pyk8s_"
SECRET_BYTES = 32  # 256 bits; OWASP asks for at least 128 of a session id


def new_secret(prefix: str = "") -> str:
    """Make an opaque secret of 256 bits."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """Give what the database keeps of a secret. It has 256 random bits: no salt, no stretching."""
    return hashlib.sha256(secret.encode()).digest()


class Passwords:
    """Argon2id off the event loop, at most two at once, so that logins cannot starve the rest.

    The parameters are OWASP's (19 MiB, 2 passes, 1 lane).
    """

    def __init__(self, *, memory_kib: int = 19456, passes: int = 2) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._at_once = anyio.Semaphore(2)
        self._of_nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Give the hash to keep for a password."""
        async with self._at_once:
            return await anyio.to_thread.run_sync(partial(self._hasher.hash, password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Tell whether the password made `stored`; takes as long when there is nothing stored."""
        if stored is None:
            if self._of_nobody is None:
                self._of_nobody = await self.hash(new_secret())
            await self._check(self._of_nobody, password)
            return False
        return await self._check(stored, password)

    async def _check(self, stored: str, password: str) -> bool:
        def check() -> bool:
            try:
                return self._hasher.verify(stored, password)
            except VerificationError:
                return False

        async with self._at_once:
            return await anyio.to_thread.run_sync(check)


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
