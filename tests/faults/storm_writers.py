"""Rivals for the rows of some clusters, in a process of their own."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select

from pyk8s.wire.facts import LogLine, Note
from server.errors import Unavailable
from server.store import event_log, event_reads
from server.store.database import Database
from server.store.event_log import Draft
from server.store.tables import ClusterRow
from tests.faults.ledger import content_of

BATCHES: Final = (1, 1, 2, 3, 10, 20, 50)
HOLD_SECONDS: Final = 0.01
"""A transaction is held open for so long at most, before and after it has written."""
ROLLED_BACK: Final = 0.05
"""So many of the transactions come to nothing."""

PAGE: Final = 5000

Written = dict[UUID, dict[int, bytes]]
"""Of each cluster, the content of each number."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one process does. `events`: of each writer for each cluster."""

    url: str
    clusters: Sequence[UUID]
    writers: Sequence[int]
    events: int


def warm_up() -> None:
    """Do nothing: what takes time, to start and to import, has happened."""


def write(task: Task) -> Written:
    """Write everything, and tell what got which number."""
    return asyncio.run(_write_all(task))


async def _write_all(task: Task) -> Written:
    database = Database(task.url, pool_size=len(task.writers) + 1)
    written: Written = {each: {} for each in task.clusters}
    try:
        async with asyncio.TaskGroup() as tasks:
            for number in task.writers:
                tasks.create_task(_write(database, written, task, number))
    finally:
        await database.close()
    return written


async def _write(database: Database, written: Written, task: Task, number: int) -> None:
    """Write so many events of each cluster, a few at a time, in any order."""
    rng = random.Random(number)
    left = dict.fromkeys(task.clusters, task.events)
    while left:
        cluster_id = rng.choice(list(left))
        count = min(left[cluster_id], rng.choice(BATCHES))
        texts = [f"writer {number} has {left[cluster_id] - n} left" for n in range(count)]
        data = [
            LogLine(stream="stderr", text=text) if rng.random() < 0.8 else Note(text=text)
            for text in texts
        ]
        try:
            async with database.transaction() as session:
                await asyncio.sleep(rng.random() * HOLD_SECONDS)
                last = await event_log.append(session, cluster_id, [Draft(each) for each in data])
                await asyncio.sleep(rng.random() * HOLD_SECONDS)
                if rng.random() < ROLLED_BACK:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            continue
        except Unavailable:  # it waited too long: for its turn, or to hear that it is committed
            found = await _find(database, cluster_id, texts[-1])
            if found is None:
                continue
            last = found
        left[cluster_id] -= count
        if not left[cluster_id]:
            del left[cluster_id]
        for seq, each in enumerate(data, start=last - count + 1):
            assert seq not in written[cluster_id]
            written[cluster_id][seq] = content_of(each.TYPE, each.text)


async def _find(database: Database, cluster_id: UUID, text: str) -> int | None:
    """Give the number of the event with a text, once whoever writes to the cluster is done."""
    while True:
        try:
            return await _look(database, cluster_id, text)
        except Unavailable:  # others had their turns for as long as a lock is waited for
            continue


async def _look(database: Database, cluster_id: UUID, text: str) -> int | None:
    async with database.transaction() as session:
        await session.execute(
            select(ClusterRow.id).where(ClusterRow.id == cluster_id).with_for_update()
        )
        after = 0
        while page := await event_reads.read(session, cluster_id, after=after, limit=PAGE):
            for event in page:
                if getattr(event.data, "text", None) == text:
                    return event.seq
            after = page[-1].seq
    return None
