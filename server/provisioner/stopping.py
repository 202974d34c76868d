"""A paused cluster that nobody has used for long is stopped, which gives its memory back."""

from pyk8s.wire.cluster import Phase
from server.provisioner import verdicts
from server.provisioner.holding import Holding, to_the_end
from server.provisioner.workshop import Workshop
from server.store import access, clusters, jobs, use


async def stop(shop: Workshop, holding: Holding) -> None:
    """Say that the cluster is stopped, then stop its nodes. It stays `paused`.

    A wake starts the nodes, however far the stop has come.

    Raises:
        LostClaim: another worker has the job.
        DriverError: they could not be stopped; do the job again later.
    """
    cluster_id = holding.job.cluster_id
    async with shop.database.transaction() as session:
        cluster = await clusters.lock(session, cluster_id)
        way = await access.way_into(session, cluster_id)
        last = await use.last(session, cluster_id)
        is_used = last is not None and last.used_at > holding.job.created_at
        if way is None or cluster.phase is not Phase.PAUSED or is_used:
            await jobs.finish(session, holding.job, "cancelled")
            return
        await jobs.hold(session, holding.job)
        await verdicts.write(session, cluster_id, verdicts.SWITCHED_OFF)
    await to_the_end(shop.driver.stop(way.attempt_id))
    async with shop.database.transaction() as session:
        await jobs.finish(session, holding.job, "succeeded")
