"""Whoever needs a paused cluster wakes it, and waits."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

import anyio

from pyk8s.wire.cluster import Phase
from server.errors import NotReady
from server.store import clusters, waking
from server.store.database import Database
from server.store.hints import EventHint

WAKE_SECONDS: Final = 30.0
"""A frozen node is back in half a second; one that Docker had ended meanwhile needs up to 14 s."""
LOOK_SECONDS: Final = 0.5
"""Hints may be lost, so the database is asked so often."""


class Waker:
    """Wakes clusters. Any number may wait for the same one."""

    def __init__(self, database: Database, *, seconds: float = WAKE_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._waiting: dict[UUID, anyio.Event] = {}
        self._moved: list[Callable[[UUID], None]] = []

    def tell_moved(self, receiver: Callable[[UUID], None]) -> None:
        """Tell somebody of each cluster of which more than its log has changed."""
        self._moved.append(receiver)

    def on_event(self, hint: EventHint) -> None:
        """Take a hint: something has happened to a cluster."""
        if not hint.has_state:
            return
        for receiver in self._moved:
            receiver(hint.cluster_id)
        waiting = self._waiting.pop(hint.cluster_id, None)
        if waiting is not None:
            waiting.set()

    async def awake(self, cluster_id: UUID) -> None:
        """Wake a cluster if it is paused, and wait until it is ready.

        Raises:
            NotReady: it is neither, or does not wake up in time.
            Unavailable: PostgreSQL does not answer.
        """
        with anyio.move_on_after(self._seconds):
            is_asked = False
            while True:
                moved = self._waiting.setdefault(cluster_id, anyio.Event())
                async with self._database.for_people(cluster_id).reading() as session:
                    phase = await waking.phase_of(session, cluster_id)
                if phase is Phase.READY:
                    return
                if phase is not Phase.PAUSED:
                    raise NotReady(f"the cluster is {phase or Phase.DELETED}")
                if not is_asked:
                    await self._ask(cluster_id)
                    is_asked = True
                with anyio.move_on_after(LOOK_SECONDS):
                    await moved.wait()
        raise NotReady(
            f"the cluster was paused, and is not awake after {self._seconds:g} s",
            fix="try again; if it stays so, its events tell why",
            retry_after=5,
        )

    async def _ask(self, cluster_id: UUID) -> None:
        async with self._database.for_people(cluster_id).transaction() as session:
            cluster = await clusters.lock(session, cluster_id)
            await waking.ask(session, cluster, reason="Used")
