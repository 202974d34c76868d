"""The work of handing a prebuilt cluster over to the person who asked for one.

One that does not wake up is thrown away, and the next one is taken; when there is none left, a
new one is built. The person sees that it takes longer, and nothing else.
"""

import asyncio
from datetime import timedelta
from typing import Final

import uuid_utils.compat as uuids

from pyk8s.wire.cluster import Cluster, Condition, Phase
from pyk8s.wire.facts import ConditionChanged, EventData, LeaseExtended, Note, PhaseChanged
from server.drivers.base import DriverError
from server.provisioner.holding import Holding, to_the_end
from server.provisioner.workshop import Workshop
from server.store import access, attempts, clusters, event_log, jobs, pool
from server.store.access import WayIn
from server.store.database import now as database_now
from server.store.event_log import Draft
from server.telemetry import get_logger

AWAKE_SECONDS: Final = 8.0
"""A frozen cluster answers in half a second, and after a long sleep its node is Ready in three.
What needs longer is not what was promised."""

log = get_logger(__name__)


async def hand_over(shop: Workshop, holding: Holding) -> None:
    """Do the job to its end: the cluster is ready, or a create is on its way.

    Raises:
        LostClaim: another worker has the job.
    """
    while True:
        async with shop.database.reading() as session:
            cluster = await clusters.get_any(session, holding.job.cluster_id)
            way = await access.way_into(session, holding.job.cluster_id)
        if cluster is None or way is None or cluster.phase is not Phase.PROVISIONING:
            # It is being deleted, or another worker has come to the end.
            async with shop.database.transaction() as session:
                await jobs.finish(session, holding.job, "cancelled")
            return
        why = await _wake(shop, way)
        if why is None:
            await to_the_end(_succeed(shop, holding, cluster))
            return
        log.warning("prebuilt_thrown_away", cluster_id=str(cluster.id), reason=why)
        if not await to_the_end(_take_another(shop, holding, cluster, way)):
            return


async def _wake(shop: Workshop, way: WayIn) -> str | None:
    """Wake it and see that it answers. Gives what is wrong with it."""
    try:
        async with asyncio.timeout(AWAKE_SECONDS):
            await shop.driver.wake(way.attempt_id, shop.kubeconfig_of(way), with_nodes=True)
    except DriverError as error:
        return error.explanation.cause
    except TimeoutError:
        return f"it did not answer within {AWAKE_SECONDS:g} s"
    return None


async def _succeed(shop: Workshop, holding: Holding, cluster: Cluster) -> None:
    async with shop.database.transaction() as session:
        now = await database_now(session)
        condition = Condition(
            type="Ready",
            status="True",
            reason="Provisioned",
            message="it was built before, woken, and its API server answers",
            last_transition_time=now,
        )
        facts: list[EventData] = [
            ConditionChanged(condition=condition),
            LeaseExtended(expires_at=now + timedelta(seconds=cluster.ttl_seconds)),
            PhaseChanged(from_=Phase.PROVISIONING, to=Phase.READY, reason="ClaimedFromPool"),
        ]
        await event_log.append(
            session, cluster.id, [Draft(fact) for fact in facts], expect={Phase.PROVISIONING}
        )
        await jobs.finish(session, holding.job, "succeeded")


async def _take_another(shop: Workshop, holding: Holding, cluster: Cluster, bad: WayIn) -> bool:
    """Let go of a bad one. False: there is no other, and a create is asked for."""
    wanted = pool.Wanted(
        template=cluster.template,
        kubernetes_version=cluster.kubernetes_version,
        control_planes=cluster.control_planes,
        workers=cluster.workers,
        driver=cluster.driver,
    )
    async with shop.database.transaction() as session:
        said = Note(text="The prebuilt cluster did not wake up; this takes a little longer")
        await event_log.append(session, cluster.id, [Draft(said)], expect={Phase.PROVISIONING})
        await jobs.hold(session, holding.job)
        await access.forget(session, cluster.id)
        await attempts.give_up(session, bad.attempt_id)
        member = await pool.take(session, wanted)
        if member is not None:
            await pool.hand_over(session, member, cluster.id)
            return True
        await jobs.finish(session, holding.job, "failed")
        await jobs.enqueue(session, cluster.id, "create", job_id=uuids.uuid7())
        return False
