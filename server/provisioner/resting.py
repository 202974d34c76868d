"""The work on pause and wake jobs: a ready cluster is frozen, and goes on where it was."""

from typing import Final

from pyk8s.wire.cluster import USABLE, Cluster, Condition, Phase
from pyk8s.wire.facts import ConditionChanged, EventData, PhaseChanged
from server.provisioner import verdicts
from server.provisioner.handover import hand_over
from server.provisioner.holding import Holding, to_the_end
from server.provisioner.stopping import stop
from server.provisioner.workshop import Workshop
from server.store import access, clusters, event_log, jobs, use
from server.store.database import WriteSession
from server.store.database import now as database_now
from server.store.event_log import Draft
from server.store.waking import STOP

IDLE: Final = "Idle"
"""Nobody asked: somebody who uses it after all is not to be disturbed."""
PAUSED_BY_NOBODY: Final = "Paused"
WOKEN_BY_NOBODY: Final = "Resumed"


async def pause(shop: Workshop, holding: Holding) -> None:
    """Say that the cluster is paused, then freeze it.

    In this order, because whoever asks it something from then on wakes it: a question to a frozen
    cluster that is called ready would wait for ever. A server that dies in between leaves the job
    to the next one.

    Raises:
        LostClaim: another worker has the job.
        DriverError: it could not be frozen; do the job again later.
    """
    if holding.job.reason == STOP:
        await stop(shop, holding)
        return
    cluster_id = holding.job.cluster_id
    async with shop.database.transaction() as session:
        cluster = await clusters.lock(session, cluster_id)
        # Awake at a later try: somebody has woken it meanwhile, and wants it so.
        is_wanted = cluster.phase is Phase.PAUSED or holding.job.tries == 1
        if holding.job.reason == IDLE and cluster.phase is Phase.READY:
            is_wanted &= not await use.used_since(session, cluster_id, holding.job.created_at)
        way = await access.way_into(session, cluster_id)
        if way is None or cluster.phase not in USABLE or not is_wanted:
            await jobs.finish(session, holding.job, "cancelled")
            return
        await jobs.hold(session, holding.job)
        if cluster.phase is Phase.READY:
            await _move(session, cluster, Phase.PAUSED, holding.job.reason or PAUSED_BY_NOBODY)
    await to_the_end(shop.driver.pause(way.attempt_id))
    await to_the_end(_close(shop, holding))


async def wake(shop: Workshop, holding: Holding) -> None:
    """Let a paused or prebuilt cluster go on, and say that it is ready once it answers.

    Raises:
        LostClaim: another worker has the job.
        DriverError: it does not go on; do the job again later.
    """
    cluster_id = holding.job.cluster_id
    async with shop.database.reading() as session:
        cluster = await clusters.get_any(session, cluster_id)
        way = await access.way_into(session, cluster_id)
    if cluster is not None and cluster.phase is Phase.PROVISIONING:
        await hand_over(shop, holding)
        return
    if cluster is None or way is None or cluster.phase is not Phase.PAUSED:
        await to_the_end(_close(shop, holding))
        return
    await shop.driver.wake(way.attempt_id, shop.kubeconfig_of(way))
    await to_the_end(_say_awake(shop, holding))


async def _say_awake(shop: Workshop, holding: Holding) -> None:
    async with shop.database.transaction() as session:
        cluster = await clusters.lock(session, holding.job.cluster_id)
        if cluster.phase is Phase.PAUSED:
            await _move(session, cluster, Phase.READY, holding.job.reason or WOKEN_BY_NOBODY)
        await jobs.finish(session, holding.job, "succeeded")


async def _move(session: WriteSession, cluster: Cluster, to: Phase, reason: str) -> None:
    now = verdicts.AWAKE if to is Phase.READY else verdicts.FROZEN
    condition = Condition(
        type="Ready",
        status=now.status,
        reason=now.reason,
        message=now.message,
        last_transition_time=await database_now(session),
    )
    facts: list[EventData] = [
        ConditionChanged(condition=condition),
        PhaseChanged(from_=cluster.phase, to=to, reason=reason),
    ]
    await event_log.append(session, cluster.id, [Draft(fact) for fact in facts])


async def _close(shop: Workshop, holding: Holding) -> None:
    async with shop.database.transaction() as session:
        await jobs.finish(session, holding.job, "succeeded")
