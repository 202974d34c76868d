"""Asking for a cluster to be paused or to go on, from whichever side it is wanted."""

from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids
from sqlalchemy import select

from pyk8s.wire.cluster import Cluster, Phase
from server.store import jobs, use
from server.store.database import ReadSession, WriteSession
from server.store.tables import ClusterRow

STOP: Final = use.STOPPED
"""Why a paused cluster is to be paused once more: it is to give its memory back, too."""


async def ask(session: WriteSession, cluster: Cluster, *, reason: str) -> None:
    """Add the work, if it is not asked for already. The caller has locked the cluster.

    Also when it is about to be paused: the pause comes first then, and is over at once.
    """
    sleeps = cluster.phase is Phase.PAUSED or await jobs.is_open(session, cluster.id, "pause")
    await use.note(session, [cluster.id])
    if sleeps and not await jobs.is_open(session, cluster.id, "wake"):
        await jobs.enqueue(session, cluster.id, "wake", job_id=uuids.uuid7(), reason=reason)


async def ask_to_pause(session: WriteSession, cluster: Cluster, *, reason: str) -> None:
    """Add the work, if it is not asked for already. The caller has locked the cluster."""
    if cluster.phase is Phase.READY and not await jobs.is_open(session, cluster.id, "pause"):
        await jobs.enqueue(session, cluster.id, "pause", job_id=uuids.uuid7(), reason=reason)


async def ask_to_stop(session: WriteSession, cluster: Cluster) -> None:
    """Add the work, unless something else is about to happen. The caller has locked the cluster."""
    if cluster.phase is Phase.PAUSED and not await jobs.is_open(session, cluster.id):
        await jobs.enqueue(session, cluster.id, "pause", job_id=uuids.uuid7(), reason=STOP)


async def phase_of(session: ReadSession, cluster_id: UUID) -> Phase | None:
    """Give a cluster's phase now. None: there is no such cluster."""
    found = await session.scalar(select(ClusterRow.phase).where(ClusterRow.id == cluster_id))
    return Phase(found) if found is not None else None
