"""The loop of a provisioner: claim a job, do it under a lease, close it.

Stopping the server leaves the runners running: their creates are taken up at the next start.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from pyk8s.wire.facts import Note
from server.admission import Space
from server.drivers.base import DriverError, Explanation
from server.errors import LostClaim, PhaseConflict, Unavailable
from server.provisioner import outcome
from server.provisioner.create import create
from server.provisioner.delete import delete
from server.provisioner.holding import LEASE_SECONDS, Holding, to_the_end
from server.provisioner.line import Line
from server.provisioner.removal import remove_again
from server.provisioner.resting import pause, wake
from server.provisioner.workshop import Workshop
from server.store import claims, event_log, jobs
from server.store.jobs import ClaimedJob, JobKind
from server.telemetry import get_logger

POLL_SECONDS: Final = 2.0
"""How often to look for work when no hint comes; also the pause while PostgreSQL is away."""
MAX_CREATES: Final = 64
"""However large the machine is: each takes connections and memory of this process."""
MAX_DELETES: Final = 4
MAX_PAUSES: Final = 8
MAX_WAKES: Final = 32
"""Docker does each in some 50 ms; waking takes longer, and somebody waits for it."""
MAX_TRIES: Final = 5
"""After so many claims a create that always breaks is given up."""
MEASURE_SECONDS: Final = 0.05
"""So long a claim waits for the machine to be measured; Docker at leisure takes less."""
MAX_PAUSE_SECONDS: Final = 60.0
MAX_NOTES: Final = 10

INTERNAL: Final = Explanation(
    code="internal",
    title="The server made a mistake",
    cause="the create broke again and again; the server's log has the details",
    fix="create the cluster again, and show the server's log to its operator",
)

_WORK: Final[Mapping[JobKind, Callable[[Workshop, Holding], Awaitable[None]]]] = {
    "create": create,
    "delete": delete,
    "pause": pause,
    "wake": wake,
}

log = get_logger(__name__)


class Worker:
    """Does jobs, so many creates and deletes at a time."""

    def __init__(
        self,
        shop: Workshop,
        *,
        name: str,
        wait_for_work: Callable[[float], Awaitable[None]],
        max_creates: int | None,
        max_deletes: int = MAX_DELETES,
    ) -> None:
        self._shop = shop
        self._name = name
        self._wait_for_work = wait_for_work
        self._line = Line(shop, max_creates=max_creates)
        self._room: dict[JobKind, int] = {
            "create": max_creates or MAX_CREATES,
            "delete": max_deletes,
            "pause": MAX_PAUSES,
            "wake": MAX_WAKES,
        }
        self._holdings: set[Holding] = set()
        self._freed = asyncio.Event()
        self._measuring: asyncio.Task[Space | str | None] | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._take_up(tasks)
        finally:
            if self._measuring is not None:
                self._measuring.cancel()

    async def _take_up(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            # Before the claim: what ends during it must not be slept over.
            self._freed.clear()
            job = await self._claim()
            if job is None:
                await self._pause()
                continue
            holding = Holding(self._shop.database, job)
            self._holdings.add(holding)
            self._room[job.kind] -= 1
            tasks.create_task(self._work(holding))

    async def _claim(self) -> ClaimedJob | None:
        try:
            # What needs no place first: it must not wait for the machine to be measured, which
            # takes seconds when Docker is busy, and somebody waits for a wake.
            job = await self._take(None)
            if job is not None or not await self._is_measured():
                return job
            space = self._measured()
            if space is None:  # nobody waits
                return None
            job = await self._take(space)
            if job is None:
                await self._line.tell()
            return job
        except Unavailable as error:
            log.warning("no_claim", reason=error.detail)
            await asyncio.sleep(POLL_SECONDS)
            return None

    async def _is_measured(self) -> bool:
        """Begin to measure the machine, if that is not going on, and see whether it is done."""
        if self._measuring is None:
            self._measuring = asyncio.create_task(self._line.space())
        done, _ = await asyncio.wait({self._measuring}, timeout=MEASURE_SECONDS)
        return bool(done)

    def _measured(self) -> Space | str | None:
        """Give what was measured; the next look measures anew.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        assert self._measuring is not None
        measured, self._measuring = self._measuring, None
        return measured.result()

    async def _take(self, space: Space | str | None) -> ClaimedJob | None:
        """Claim a job. `space` None: only one that needs no place of its own."""
        async with self._shop.database.transaction() as session:
            await claims.take_turn(session)
            return await claims.claim(
                session,
                host_id=self._shop.host_id,
                worker=self._name,
                lease_seconds=LEASE_SECONDS,
                kinds=[kind for kind, room in self._room.items() if room > 0],
                fresh=await self._line.next(session, space) if space is not None else None,
            )

    async def _pause(self) -> None:
        """Wait for a hint, for a place that becomes free, or for a while."""

        async def hinted() -> None:
            await self._wait_for_work(POLL_SECONDS)

        waits = {asyncio.create_task(hinted()), asyncio.create_task(self._freed.wait())}
        measuring = {self._measuring} if self._measuring is not None else set()
        try:
            await asyncio.wait({*waits, *measuring}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)
        for holding in self._holdings:
            holding.nudge()

    async def _work(self, holding: Holding) -> None:
        job = holding.job
        try:
            await self._hold_and_do(holding)
        except asyncio.CancelledError:
            with contextlib.suppress(Unavailable):
                await to_the_end(self._let_go(job))
            raise
        except LostClaim as error:
            log.warning("claim_lost", job=str(job.id), reason=error.detail)
            await self._leave_nothing(job)
        except (DriverError, Unavailable) as error:
            log.warning("job_postponed", job=str(job.id), kind=job.kind, reason=str(error))
            await self._postpone(job, error.explanation if isinstance(error, DriverError) else None)
        except Exception:
            log.exception("job_broke", job=str(job.id), kind=job.kind, tries=job.tries)
            await self._give_up(holding)
        finally:
            self._holdings.discard(holding)
            self._room[job.kind] += 1
            self._freed.set()

    async def _leave_nothing(self, job: ClaimedJob) -> None:
        """Undo what this worker did after it had lost the job, if it was frozen for a while."""
        try:
            await to_the_end(remove_again(self._shop, job.cluster_id))
        except (DriverError, Unavailable, TimeoutError) as error:
            log.warning("late_pieces_left", job=str(job.id), reason=str(error))

    async def _hold_and_do(self, holding: Holding) -> None:
        do = _WORK[holding.job.kind]
        try:
            async with asyncio.TaskGroup() as tasks:
                beating = tasks.create_task(holding.beat())
                await do(self._shop, holding)
                beating.cancel()
        except ExceptionGroup as group:
            lost, _ = group.split(LostClaim)
            raise (lost or group).exceptions[0] from group

    async def _let_go(self, job: ClaimedJob) -> None:
        async with self._shop.database.transaction() as session:
            await jobs.let_go(session, job)

    async def _postpone(self, job: ClaimedJob, why: Explanation | None = None) -> None:
        """Put the job off, longer each time, and tell the reason to whoever watches the cluster."""
        seconds = min(2.0**job.tries, MAX_PAUSE_SECONDS)
        # When PostgreSQL is away too, the lease runs out by itself.
        with contextlib.suppress(LostClaim, PhaseConflict, Unavailable):
            async with self._shop.database.transaction() as session:
                if why is not None and job.tries <= MAX_NOTES:
                    note = Note(
                        text=f"{why.title}: {why.cause}. Tried again in {seconds:g} s. "
                        f"What helps: {why.fix}"
                    )
                    await event_log.append(session, job.cluster_id, [event_log.Draft(note)])
                await jobs.postpone(session, job, seconds=seconds)

    async def _give_up(self, holding: Holding) -> None:
        """A defect of ours: try again, but not for ever."""
        if holding.job.kind == "create" and holding.job.tries >= MAX_TRIES:
            try:
                await outcome.fail(self._shop, holding, None, INTERNAL)
            except Exception:
                log.exception("job_not_given_up", job=str(holding.job.id))
        await self._postpone(holding.job)
