"""Secrets that were valid a moment ago. They decide where a lookup waits, never what is allowed."""

from collections import OrderedDict
from typing import Final
from uuid import UUID

MOST_RECENT: Final = 10_000


class RecentSecrets:
    """Whose a secret was when it was last looked up, by its hash.

    A lookup of a made-up secret costs the database as much as one of a good one. It waits in the
    lane of strangers; one of a secret that was good lately waits where the requests of its user do.
    """

    def __init__(self, most: int = MOST_RECENT) -> None:
        self._most = most
        self._users: OrderedDict[bytes, UUID] = OrderedDict()

    def user_of(self, secret_hash: bytes) -> UUID | None:
        """Return the user whose the secret was."""
        return self._users.get(secret_hash)

    def note(self, secret_hash: bytes, user_id: UUID) -> None:
        """Keep whose a valid secret is; beyond the limit those used least lately are forgotten."""
        self._users[secret_hash] = user_id
        self._users.move_to_end(secret_hash)
        if len(self._users) > self._most:
            self._users.popitem(last=False)

    def forget(self, secret_hash: bytes) -> None:
        """Count a secret that opens nothing any more among the unknown ones."""
        self._users.pop(secret_hash, None)
