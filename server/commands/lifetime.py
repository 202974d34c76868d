"""Cancel a create, and try a failed one again: rows are written, nothing is built here."""

from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from pyk8s.wire.cluster import Cluster, Condition, Phase
from pyk8s.wire.facts import ConditionChanged, FailureExplained, PhaseChanged
from server.commands.clusters import locked, not_found
from server.errors import NoProvisioner, PhaseConflict, QuotaExceeded
from server.store import clusters, event_log, hosts, jobs
from server.store.database import Database, WriteSession, now
from server.store.event_log import Draft

CANCELLABLE: Final = frozenset({Phase.PENDING, Phase.PROVISIONING})
RETRIABLE: Final = frozenset({Phase.FAILED})
MAX_TRIES: Final = 50
"""Of one cluster. Each try adds some ten events to a log that is kept, so a cancel and a retry in a
loop would fill the database; whoever repairs a machine needs a few."""
TRIES_RETRY_SECONDS: Final = 3600
"""What a 429 says of it. Nothing gets better by waiting, so a program had better not ask often."""


async def cancel_create(
    database: Database, *, owner_id: UUID, id_or_name: UUID | str, by: str
) -> Cluster:
    """Stop a create: the cluster is `failed` at once, and its pieces go within seconds.

    Raises:
        NotFound: the owner has no such cluster.
        PhaseConflict: nothing is being created.
    """
    async with database.transaction() as session:
        cluster = await locked(session, owner_id, id_or_name)
        if cluster.phase not in CANCELLABLE:
            raise PhaseConflict(
                CANCELLABLE, cluster.phase, fix="only a create can be cancelled; or delete it"
            )
        explained = FailureExplained(
            code="cancelled",
            title="The create was cancelled",
            cause=f"{by} cancelled it before the cluster was ready",
            fix="try again (pyk8s retry), or delete the cluster",
            evidence=[],
        )
        drafts = [
            Draft(explained),
            Draft(await _not_ready(session, reason="Cancelled", message=explained.title)),
            Draft(PhaseChanged(from_=cluster.phase, to=Phase.FAILED, reason="Cancelled")),
        ]
        await event_log.append(session, cluster.id, drafts, expect=CANCELLABLE)
        await jobs.request_cancel(session, cluster.id, leaves_pieces=True)
        return await _after(session, owner_id, cluster.id)


async def retry_create(database: Database, *, owner_id: UUID, id_or_name: UUID | str) -> Cluster:
    """Create a failed cluster anew, under the same name and id, as it was asked for.

    Raises:
        NotFound: the owner has no such cluster.
        PhaseConflict: it has not failed.
        QuotaExceeded: it was tried as often as one may.
        NoProvisioner: nobody could build it.
    """
    async with database.transaction() as session:
        cluster = await locked(session, owner_id, id_or_name)
        if cluster.phase not in RETRIABLE:
            raise PhaseConflict(
                RETRIABLE, cluster.phase, fix="only a failed cluster can be tried again"
            )
        if await jobs.count_creates(session, cluster.id) >= MAX_TRIES:
            raise QuotaExceeded(
                f"the create of this cluster was tried {MAX_TRIES} times",
                fix="delete it (pyk8s delete), and create a new one: it may have the same name",
                retry_after=TRIES_RETRY_SECONDS,
            )
        if await hosts.current(session) is None:
            raise NoProvisioner(
                "no provisioner has announced itself to this server",
                fix="start one (PYK8S_ROLES has `provisioner`), then ask again",
                retry_after=5,
            )
        waiting = await _not_ready(session, reason="RetryRequested", message="it is tried again")
        drafts = [
            Draft(waiting),
            Draft(PhaseChanged(from_=Phase.FAILED, to=Phase.PENDING, reason="RetryRequested")),
        ]
        await event_log.append(session, cluster.id, drafts, expect=RETRIABLE)
        await jobs.enqueue(session, cluster.id, "create", job_id=uuids.uuid7())
        return await _after(session, owner_id, cluster.id)


async def _after(session: WriteSession, owner_id: UUID, cluster_id: UUID) -> Cluster:
    after = await clusters.get(session, owner_id, cluster_id)
    if after is None:
        raise not_found(cluster_id)
    return after


async def _not_ready(session: WriteSession, *, reason: str, message: str) -> ConditionChanged:
    return ConditionChanged(
        condition=Condition(
            type="Ready",
            status="False",
            reason=reason,
            message=message,
            last_transition_time=await now(session),
        )
    )
