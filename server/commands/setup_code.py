"""The setup code: proves that whoever makes the first account runs the server."""

import asyncio
import base64
import hmac
import os
from pathlib import Path
from uuid import UUID

from server.secrets import Sealer

CODE_BYTES = 100 // 8 + 1
GROUP_LENGTH, GROUPS = 5, 4  # 20 letters of base32: 100 bits
FILE_NAME = "setup-code"
_CONFUSED = str.maketrans("018", "OIB")
"""Digits that base32 does not have, and the letters that they were read for."""


class SetupCode:
    """A code derived from the server's key and the database's identity.

    It is the same in every process of an installation and after every restart, and another one for
    another database. A copy lies in a file that only the server's system account reads, until the
    first person has registered.
    """

    def __init__(self, sealer: Sealer, installation: UUID, data_dir: Path) -> None:
        derived = sealer.derive(f"setup code of {installation}")
        self._letters = base64.b32encode(derived[:CODE_BYTES])[: GROUP_LENGTH * GROUPS].decode()
        self._path = data_dir / FILE_NAME
        self.turn = asyncio.Lock()
        """Held while the first account is made."""

    @property
    def text(self) -> str:
        """The code as it is shown: ABCDE-FGHIJ-KLMNO-PQRST."""
        groups = range(0, len(self._letters), GROUP_LENGTH)
        return "-".join(self._letters[i : i + GROUP_LENGTH] for i in groups)

    def matches(self, given: str) -> bool:
        """Return whether `given` is the code, in constant time; dashes and case do not matter."""
        letters = "".join(c for c in given.upper() if c.isalnum()).translate(_CONFUSED)
        return hmac.compare_digest(letters.encode(), self._letters.encode())

    def keep(self) -> None:
        """Write the file, readable by the server's account only."""
        self._path.unlink(missing_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.text + "\n")

    def forget(self) -> None:
        """Remove the file: the code opens nothing any more."""
        self._path.unlink(missing_ok=True)
