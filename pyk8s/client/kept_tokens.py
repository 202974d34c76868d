"""Tokens of the exec mode, kept between two runs of kubectl.

kubectl asks for a token at each run. One is kept in the state directory until a minute before its
end; whether it was revoked meanwhile is asked each time, so that a dead one is never handed out.
"""

import hashlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pyk8s.client.config import Endpoint
from pyk8s.client.credentials import Credentials
from pyk8s.client.errors import ConfigProblem, Unreachable
from pyk8s.wire.access import CreatedCredential

EXEC_SECONDS = 3600
"""How long a token of the exec mode is good for: it is got anew without anybody's doing."""

BEFORE_END = timedelta(minutes=1)
"""So early a new one is made: the clocks of two machines differ a little."""

PRIVATE_FOLDER = 0o700
NAME_LENGTH = 80


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token for one cluster of one server."""

    url: str
    cluster_id: str
    credential_id: str
    token: str = field(repr=False)
    expires_at: datetime

    @property
    def used_until(self) -> datetime:
        """When the next one is made."""
        return self.expires_at - BEFORE_END


def state_folder() -> Path:
    """Where they are on this machine: $XDG_STATE_HOME/pyk8s/credentials, or its like."""
    import platformdirs

    return platformdirs.user_state_path("pyk8s") / "credentials"


class KeptTokens:
    """The tokens that one login has got. Another login never sees them."""

    def __init__(self, folder: Path, endpoint: Endpoint) -> None:
        self._folder = folder
        self._endpoint = endpoint

    async def token(
        self,
        cluster_id: str,
        credentials: Credentials,
        *,
        now: datetime,
        seconds: int = EXEC_SECONDS,
    ) -> KeptToken:
        """Give the one that is kept, or make one: none is kept, it ends soon, or it was revoked.

        Where the server cannot be asked, a kept one is given unasked.

        Raises:
            ConfigProblem: it cannot be kept.
            ApiProblem, Unreachable: as `Credentials.issue`.
        """
        with self._locked():
            kept = self._read(self._file(cluster_id))
            if kept is not None and now < kept.used_until and await _is_alive(kept, credentials):
                return kept
            made = await credentials.issue(this_program(), expires_in_seconds=seconds)
            return self._keep(cluster_id, made)

    def keep(self, cluster_id: str, made: CreatedCredential) -> KeptToken:
        """Keep one that was made for another reason.

        Raises:
            ConfigProblem: it cannot be kept.
        """
        with self._locked():
            return self._keep(cluster_id, made)

    def forget_all(self) -> list[KeptToken]:
        """Forget those for this server, whoever got them, and give them."""
        found = []
        for file in self._folder.glob("*.json"):
            kept = self._read(file)
            if kept is not None and kept.url == self._endpoint.url:
                found.append(kept)
                with suppress(OSError):
                    file.unlink()
        return found

    def _file(self, cluster_id: str) -> Path:
        # The login is a part of the name: who signs in as somebody else begins without any.
        parts = (self._endpoint.url, self._endpoint.token or "", cluster_id)
        return self._folder / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}.json"

    def _read(self, file: Path) -> KeptToken | None:
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            ends = datetime.fromisoformat(document["expires_at"])
            return KeptToken(**{**document, "expires_at": ends}) if ends.tzinfo else None
        except (OSError, ValueError, TypeError, KeyError):
            return None  # what cannot be read is made anew

    def _keep(self, cluster_id: str, made: CreatedCredential) -> KeptToken:
        kept = KeptToken(self._endpoint.url, cluster_id, str(made.id), made.token, made.expires_at)
        document = {**asdict(kept), "expires_at": kept.expires_at.isoformat()}
        try:
            # mkstemp's files are 0600 from the first byte on.
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".token-")
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                json.dump(document, out)
            Path(temporary).replace(self._file(cluster_id))
        except OSError as error:
            raise self._unusable(error) from error
        return kept

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let ten kubectl that start at once make one token, not ten."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
            lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel opens it when its holder dies
            yield
        finally:
            os.close(lock)

    def _unusable(self, error: OSError) -> ConfigProblem:
        return ConfigProblem(
            f"Tokens cannot be kept in {self._folder}: {error.strerror}.",
            fix="Make the folder writable, or set XDG_STATE_HOME to another one.",
        )


async def _is_alive(kept: KeptToken, credentials: Credentials) -> bool:
    try:
        living = await credentials.list()
    except Unreachable:
        return True
    return any(str(each.id) == kept.credential_id for each in living)


def this_program() -> str:
    """What the server's list calls a credential of the exec mode."""
    return f"kubectl by pyk8s on {socket.gethostname()}"[:NAME_LENGTH]
