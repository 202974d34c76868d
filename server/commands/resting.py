"""Pause a cluster that nobody uses, and let it go on: rows are written, nothing is frozen here."""

from datetime import timedelta
from uuid import UUID

from pyk8s.wire.cluster import USABLE, Cluster, Idle, Phase
from server.commands.clusters import locked
from server.errors import PhaseConflict
from server.store import waking
from server.store.database import Database, WriteSession
from server.store.use import LastUse


async def pause_cluster(
    database: Database, *, owner_id: UUID, id_or_name: UUID | str, reason: str = "PauseRequested"
) -> Cluster:
    """Ask that a cluster is frozen. Asking again is no error.

    Raises:
        NotFound: the owner has no such cluster.
        PhaseConflict: it is not up.
    """
    async with database.transaction() as session:
        cluster = await _up(session, owner_id, id_or_name)
        await waking.ask_to_pause(session, cluster, reason=reason)
    return cluster


async def resume_cluster(database: Database, *, owner_id: UUID, id_or_name: UUID | str) -> Cluster:
    """Ask that a cluster goes on. Asking again is no error.

    Raises:
        NotFound: the owner has no such cluster.
        PhaseConflict: it is not up.
    """
    async with database.transaction() as session:
        cluster = await _up(session, owner_id, id_or_name)
        await waking.ask(session, cluster, reason="ResumeRequested")
    return cluster


async def _up(session: WriteSession, owner_id: UUID, id_or_name: UUID | str) -> Cluster:
    cluster = await locked(session, owner_id, id_or_name)
    if cluster.phase not in USABLE:
        raise PhaseConflict(USABLE, cluster.phase, fix="wait until it is ready")
    return cluster


async def stop_cluster(database: Database, *, owner_id: UUID, id_or_name: UUID | str) -> None:
    """Ask that a paused cluster gives its memory back.

    Raises:
        NotFound: the owner has no such cluster.
        PhaseConflict: it is not up.
    """
    async with database.transaction() as session:
        cluster = await _up(session, owner_id, id_or_name)
        await waking.ask_to_stop(session, cluster)


def idle_of(cluster: Cluster, last: LastUse, *, seconds: int) -> Idle:
    """Say when a cluster is paused because nobody uses it. Pure. `seconds` 0: never."""
    why = None
    if cluster.phase is Phase.PAUSED:
        why = "it is paused already"
    elif not seconds:
        why = "the operator lets none be paused"
    elif last.has_direct:
        why = "somebody has a direct kubeconfig, whose use cannot be seen"
    return Idle(
        used_at=last.used_at,
        pauses_at=None if why else last.used_at + timedelta(seconds=seconds),
        stays_awake_because=why,
    )
