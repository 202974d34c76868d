"""The work on a delete job: nothing of any attempt is left, then the cluster is deleted."""

from pyk8s.wire.cluster import Condition, Phase
from pyk8s.wire.facts import ConditionChanged, EventData, PhaseChanged
from server.provisioner.holding import Holding, to_the_end
from server.provisioner.removal import remove
from server.provisioner.workshop import Workshop
from server.store import access, apps, attempts, clusters, credentials, event_log, evidence, jobs
from server.store.database import now as database_now
from server.store.event_log import Draft


async def delete(shop: Workshop, holding: Holding) -> None:
    """Do the job to its end. What is gone already is no error.

    Raises:
        LostClaim: another worker has the job.
        DriverError: something could not be removed; do the job again later.
    """
    async with shop.database.reading() as session:
        known = await attempts.of_cluster(session, holding.job.cluster_id)
    for attempt in known:
        if not attempt.is_removed:
            await remove(shop, holding, attempt, outcome="cancelled")
    await to_the_end(_close(shop, holding))


async def _close(shop: Workshop, holding: Holding) -> None:
    cluster_id = holding.job.cluster_id
    async with shop.database.transaction() as session:
        cluster = await clusters.get_any(session, cluster_id)
        if cluster is not None and cluster.phase is Phase.DELETING:
            gone: list[EventData] = []
            if cluster.conditions:
                condition = Condition(
                    type="Ready",
                    status="False",
                    reason="Deleted",
                    message="the cluster was deleted",
                    last_transition_time=await database_now(session),
                )
                gone.append(ConditionChanged(condition=condition))
            gone.append(PhaseChanged(from_=Phase.DELETING, to=Phase.DELETED, reason="Deleted"))
            await event_log.append(
                session, cluster_id, [Draft(fact) for fact in gone], expect={Phase.DELETING}
            )
            await credentials.end_of_cluster(session, cluster_id)
            await apps.end_of_cluster(session, cluster_id)
            await access.forget(session, cluster_id)
            await evidence.forget(session, cluster_id)
        await jobs.finish(session, holding.job, "succeeded")
