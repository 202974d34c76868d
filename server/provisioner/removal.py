"""The removal of what an attempt left on this host."""

import asyncio
from uuid import UUID

from server.drivers.base import DriverError, Explanation
from server.provisioner import launch
from server.provisioner.holding import Holding, to_the_end
from server.provisioner.workshop import Workshop
from server.store import attempts, jobs
from server.store.attempts import Attempt


async def remove(shop: Workshop, holding: Holding, attempt: Attempt, *, outcome: str) -> None:
    """End what still runs, remove every piece, and note it.

    Raises:
        DriverError: something could not be removed.
        LostClaim: another worker has the job.
    """
    directory = shop.directory(attempt)
    if not await launch.stop(directory, grace_seconds=shop.deadlines.grace):
        raise DriverError(
            Explanation(
                code="process_stuck",
                title="A process cannot be ended",
                cause=f"what runs in {directory} survived KILL: it waits for a disk or device",
                fix="nothing to do: it is tried again; if it stays so, the host needs a restart",
            )
        )
    try:
        async with asyncio.timeout(shop.deadlines.delete):
            await shop.driver.delete(attempt.id, directory)
    except TimeoutError as error:
        raise DriverError(
            Explanation(
                code="delete_timeout",
                title="Removing took too long",
                cause=f"{attempt.kind_name} was not removed in {shop.deadlines.delete:g} s",
                fix="nothing to do: it is tried again; see whether `docker ps` answers quickly",
            )
        ) from error
    await to_the_end(_note(shop, holding, attempt, outcome))


async def remove_again(shop: Workshop, cluster_id: UUID) -> None:
    """Remove what was made too late: by a worker that another one has meanwhile cleaned up after.

    Only tries of this host that are noted as removed are touched; they never come back.

    Raises:
        DriverError: something could not be removed.
        Unavailable: PostgreSQL does not answer.
    """
    async with shop.database.reading() as session:
        known = await attempts.of_cluster(session, cluster_id)
    for attempt in known:
        if attempt.is_removed and attempt.host_id == shop.host_id:
            directory = shop.directory(attempt)
            await launch.stop(directory, grace_seconds=shop.deadlines.grace)
            async with asyncio.timeout(shop.deadlines.delete):
                await shop.driver.delete(attempt.id, directory)


async def _note(shop: Workshop, holding: Holding, attempt: Attempt, outcome: str) -> None:
    async with shop.database.transaction() as session:
        await jobs.hold(session, holding.job)
        await attempts.finish(session, attempt.id, outcome)
        await attempts.mark_removed(session, attempt.id)
