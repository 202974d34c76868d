"""`python -m bench.appender`: stores log lines of one cluster, never far ahead of its readers.

Standard input: the number that every reader has reached, one a line.
"""

import argparse
import sys
import threading
from uuid import UUID

import anyio
import anyio.to_thread

from bench.lines import drafts
from server.store import event_log
from server.store.database import Database


class Reached:
    """What all readers have, as a thread reads it from standard input."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seq = 0

    def read(self) -> None:
        """Read to the end of standard input; after it nothing holds the writer back."""
        for line in sys.stdin:
            self._set(int(line))
        self._set(sys.maxsize)

    def _set(self, seq: int) -> None:
        with self._changed:
            self._seq = seq
            self._changed.notify_all()

    def wait(self, seq: int) -> None:
        """Return when all have this number."""
        with self._changed:
            self._changed.wait_for(lambda: self._seq >= seq)


async def append(url: str, cluster_id: UUID, batches: int, size: int, window: int) -> None:
    """Store the batches, each in a transaction of its own."""
    reached = Reached()
    threading.Thread(target=reached.read, daemon=True).start()
    database = Database(url, pool_size=2)
    for number in range(batches):
        async with database.transaction() as session:
            last = await event_log.append(session, cluster_id, drafts(size, first=number * size))
        await anyio.to_thread.run_sync(reached.wait, last - window * size)
    await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("cluster_id", type=UUID)
    for name in ("batches", "size", "window"):
        parser.add_argument(name, type=int)
    given = parser.parse_args()
    anyio.run(append, given.url, given.cluster_id, given.batches, given.size, given.window)
