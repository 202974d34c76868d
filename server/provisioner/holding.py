"""A worker's hold on a job: the lease is renewed, and the wish to cancel is noticed."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from server.errors import Unavailable
from server.store import jobs
from server.store.database import Database
from server.store.jobs import ClaimedJob

LEASE_SECONDS: Final = 15.0
HEARTBEAT_SECONDS: Final = 3.0

T = TypeVar("T")


class JobCancelled(Exception):
    """Nobody wants the result any more."""


class Holding:
    """One job that is being worked on."""

    def __init__(self, database: Database, job: ClaimedJob) -> None:
        self.job = job
        self.is_decided = job.outcome is not None
        """Nothing more is to be built: what the job left is removed, and it is closed."""
        self._database = database
        self._nudged = asyncio.Event()
        self._cancel_requested = asyncio.Event()
        if job.cancel_requested:
            self._cancel_requested.set()

    def nudge(self) -> None:
        """Look at the job now: something about some job has changed."""
        self._nudged.set()

    async def beat(self) -> None:
        """Renew the lease until cancelled.

        Raises:
            LostClaim: another worker has the job.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._nudged.wait()
            self._nudged.clear()
            try:
                async with self._database.transaction() as session:
                    status = await jobs.renew(session, self.job, lease_seconds=LEASE_SECONDS)
            except Unavailable:
                continue
            if status.cancel_requested:
                self._cancel_requested.set()

    async def unless_cancelled(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, or stop in the middle of it when nobody wants it any more.

        Raises:
            JobCancelled: it was stopped.
        """
        working = asyncio.create_task(work)
        waiting = asyncio.create_task(self._cancel_requested.wait())
        try:
            await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise JobCancelled
        finally:
            for task in (working, waiting):
                task.cancel()
            await asyncio.wait({working, waiting})


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Finish what was begun, even when the server is told to stop meanwhile."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            # A cancelled scope of anyio cancels each wait anew; the work has its own timeouts.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        raise
