"""The user's right to a cluster: make it longer, warn before it ends."""

from datetime import datetime, timedelta
from uuid import UUID

from pyk8s.wire.base import rfc3339
from pyk8s.wire.cluster import MIN_TTL_SECONDS, USABLE, Cluster, ExtendLease
from pyk8s.wire.facts import LeaseExpiring, LeaseExtended
from pyk8s.wire.service import FieldError
from server.commands.clusters import Limits, locked, not_found
from server.errors import PhaseConflict, ValidationFailed
from server.store import clusters, event_log
from server.store.database import Database, now
from server.store.event_log import Draft


async def extend_lease(
    database: Database,
    *,
    owner_id: UUID,
    id_or_name: UUID | str,
    request: ExtendLease,
    limits: Limits,
) -> Cluster:
    """Move the end of a lease, counted from where it is; the database's clock decides.

    Raises:
        NotFound: the owner has no such cluster.
        PhaseConflict: it has no lease now.
        ValidationFailed: it would live longer in all than this server lets a cluster live.
    """
    async with database.transaction() as session:
        # Takes the row's lock: of two extensions at once the second counts from the first's end.
        cluster = await locked(session, owner_id, id_or_name)
        if cluster.phase not in USABLE or cluster.expires_at is None or cluster.ready_at is None:
            raise PhaseConflict(
                USABLE, cluster.phase, fix="the lifetime begins when the cluster is ready"
            )
        at = await now(session)
        end = max(cluster.expires_at, at) + timedelta(seconds=request.seconds)
        last = cluster.ready_at + timedelta(seconds=limits.max_ttl_seconds)
        if end > last:
            possible = request.seconds - (end - last).total_seconds()
            raise _too_long(request.seconds, possible, last, limits)
        await event_log.append(
            session, cluster.id, [Draft(LeaseExtended(expires_at=end))], expect=USABLE
        )
        await clusters.forget_lease_warning(session, cluster.id)
        after = await clusters.get(session, owner_id, cluster.id)
        if after is None:
            raise not_found(id_or_name)
        return after


def _too_long(wanted: int, possible: float, last: datetime, limits: Limits) -> ValidationFailed:
    most = max(0, int(possible))
    return ValidationFailed(
        f"seconds: a cluster may live {limits.max_ttl_seconds} s in all, this one until "
        f"{rfc3339(last)}",
        fix=f"ask for {most} s or less" if most >= MIN_TTL_SECONDS else "create another cluster",
        errors=[FieldError(field="seconds", message=f"at most {most}", input=wanted)],
    )


async def warn_of_ends(database: Database, *, seconds: int) -> int:
    """Say of every lease that has fewer than so many seconds left that it ends; once each."""
    async with database.transaction() as session:
        taken = sorted(await clusters.claim_lease_warning(session, seconds=seconds))
        for cluster_id in taken:
            cluster = await clusters.get_any(session, cluster_id)
            if cluster is not None and cluster.expires_at is not None:
                ending = LeaseExpiring(expires_at=cluster.expires_at)
                await event_log.append(session, cluster_id, [Draft(ending)])
    return len(taken)
