"""Who is next in the waiting line, whether there is a place, and what the others are told."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from pyk8s.wire.cluster import Phase, Queue
from pyk8s.wire.facts import Queued
from server.admission import Space, shortage
from server.drivers.base import DriverError
from server.errors import NotFound, PhaseConflict
from server.provisioner.workshop import Workshop
from server.store import event_log, hosts, line, needs
from server.store.database import WriteSession
from server.store.event_log import Draft
from server.store.needs import Needs

SPACE_SECONDS: Final = 5.0
"""A machine that has not told by then what it has will not build well either."""
LEARNED_SECONDS: Final = 30.0
"""So long what was learned is taken to be still true."""


class Line:
    """The waiting line as one worker sees it. `max_creates`: the operator's limit, if any."""

    def __init__(
        self,
        shop: Workshop,
        *,
        max_creates: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shop = shop
        self._max_creates = max_creates
        self._clock = clock
        self._needs: Needs = {}
        self._learn_at = clock()
        self._reason: str | None = None
        """What the first one waits for; None: nobody waits, or there is a place."""

    async def space(self) -> Space | str | None:
        """Measure the machine, if somebody waits: the space, or why nothing can begin there."""
        async with self._shop.database.reading() as session:
            if not await line.waiting(session, self._shop.host_id):
                return None
        try:
            async with asyncio.timeout(SPACE_SECONDS):
                return await self._shop.driver.space()
        except DriverError as error:
            why = error.explanation
            return f"{why.title}: {why.cause}. What helps: {why.fix}"
        except TimeoutError:
            return f"The machine has not told for {SPACE_SECONDS:g} s what room it has"

    async def next(self, session: WriteSession, space: Space | str) -> UUID | None:
        """Give the first one's job if there is a place for it. The caller has taken its turn."""
        self._reason = None
        waiting = await line.waiting(session, self._shop.host_id)
        if not waiting:
            return None
        if isinstance(space, str):
            self._reason = space
            return None
        if self._clock() >= self._learn_at:
            self._needs = await needs.learned(session)
            self._learn_at = self._clock() + LEARNED_SECONDS
        first = waiting[0]
        need = needs.of_cluster(self._needs, first.template, first.driver, first.nodes)
        load = await needs.load(session, self._shop.host_id, self._needs)
        self._reason = shortage(space, load, need, max_creates=self._max_creates)
        return first.job_id if self._reason is None else None

    async def tell(self) -> None:
        """Tell everybody who waits where they are, if that has changed."""
        if self._reason is None:
            return
        async with self._shop.database.reading() as session:
            if not await hosts.speaks(session, self._shop.host_id):
                return
            waiting = await line.waiting(session, self._shop.host_id)
        for position, each in enumerate(waiting, start=1):
            now = Queue(position=position, size=len(waiting), reason=self._reason)
            if each.queue == now:
                continue
            fact = Queued(position=now.position, size=now.size, reason=now.reason)
            # It may have been begun, cancelled or deleted meanwhile.
            with contextlib.suppress(PhaseConflict, NotFound):
                async with self._shop.database.transaction() as session:
                    await event_log.append(
                        session, each.cluster_id, [Draft(fact)], expect={Phase.PENDING}
                    )
