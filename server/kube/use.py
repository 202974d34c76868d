"""Notes which clusters are being used, as seen by this process."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import anyio

from pyk8s.wire.cluster import Cluster, Phase
from server.errors import LabError
from server.store import clusters, use, waking
from server.store.database import Database, ReadSession, now
from server.telemetry import get_logger

FLUSH_SECONDS: Final = 1.0
NOTED_EVERY: Final = 5
"""What goes on for long is written down at every fifth flush: nobody needs it to the second."""

log = get_logger(__name__)


class Use:
    """Collects what happens, and writes it down now and then: a request must not cost a row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: set[UUID] = set()
        self._typed: dict[UUID, float] = {}
        self._open: Counter[UUID] = Counter()

    def note(self, cluster_id: UUID) -> None:
        """Somebody uses a cluster now."""
        self._noted.add(cluster_id)

    def typing_into(self, cluster_id: UUID) -> Callable[[], None]:
        """Give what notes that somebody has typed into a terminal, and wakes the cluster."""
        return partial(self._note_typing, cluster_id)

    def _note_typing(self, cluster_id: UUID) -> None:
        self._typed[cluster_id] = time.monotonic()

    @contextmanager
    def holding(self, cluster_id: UUID) -> Iterator[None]:
        """Somebody uses a cluster until the block ends."""
        self.note(cluster_id)
        self._open[cluster_id] += 1
        try:
            yield
        finally:
            self._open[cluster_id] -= 1
            if not self._open[cluster_id]:
                del self._open[cluster_id]
            self.note(cluster_id)

    async def run(self) -> None:
        """Write down what was noted until cancelled."""
        count = 0
        while True:
            await anyio.sleep(FLUSH_SECONDS)
            count += 1
            try:
                await self.flush(with_open=count % NOTED_EVERY == 0)
            except (LabError, TimeoutError) as error:  # PostgreSQL is away: the next flush has it
                log.warning("use_not_noted", reason=type(error).__name__)

    async def flush(self, *, with_open: bool = True) -> None:
        """Write down what was noted, and wake what somebody types into.

        Raises:
            LabError: PostgreSQL does not answer; nothing is forgotten.
        """
        typed, noted = dict(self._typed), {*self._noted}
        used = {*typed} | noted | (set(self._open) if with_open else set())
        if not used:
            return
        async with self._database.transaction() as session:
            await use.note(session, used)
        self._noted -= noted
        for cluster_id, typed_at in typed.items():
            async with self._database.transaction() as session:
                if await waking.phase_of(session, cluster_id) is Phase.PAUSED:
                    cluster = await clusters.lock(session, cluster_id)
                    if await _slept(session, cluster, seconds_ago=time.monotonic() - typed_at):
                        await waking.ask(session, cluster, reason="Used")
            if self._typed.get(cluster_id) == typed_at:
                del self._typed[cluster_id]


async def _slept(session: ReadSession, cluster: Cluster, *, seconds_ago: float) -> bool:
    """Tell whether a paused cluster was so already; what was typed before a pause wakes nothing."""
    at = await now(session) - timedelta(seconds=seconds_ago)
    return all(
        each.last_transition_time <= at for each in cluster.conditions if each.type == "Ready"
    )
