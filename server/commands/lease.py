"""The user's right to a cluster: make it longer, warn before it ends."""

from datetime import timedelta
from uuid import UUID

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
        ValidationFailed: it would live longer from now than this server lets it.
    """
    async with database.transaction() as session:
        # Takes the row's lock: of two extensions at once the second counts from the first's end.
        cluster = await locked(session, owner_id, id_or_name)
        if cluster.phase not in USABLE or cluster.expires_at is None:
            raise PhaseConflict(
                USABLE, cluster.phase, fix="the lifetime begins when the cluster is ready"
            )
        at = await now(session)
        end = max(cluster.expires_at, at) + timedelta(seconds=request.seconds)
        beyond = (end - at).total_seconds() - limits.max_ttl_seconds
        if beyond > 0:
            raise _too_long(request.seconds, request.seconds - beyond, limits)
        await event_log.append(
            session, cluster.id, [Draft(LeaseExtended(expires_at=end))], expect=USABLE
        )
        await clusters.forget_lease_warning(session, cluster.id)
        after = await clusters.get(session, owner_id, cluster.id)
        if after is None:
            raise not_found(id_or_name)
        return after


def _too_long(wanted: int, possible: float, limits: Limits) -> ValidationFailed:
    most = int(possible)
    fix = f"ask for {most} s or less" if most >= MIN_TTL_SECONDS else "ask again later"
    return ValidationFailed(
        f"seconds: a cluster may live {limits.max_ttl_seconds} s from now at most",
        fix=fix,
        errors=[FieldError(field="seconds", message=f"at most {max(0, most)}", input=wanted)],
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
