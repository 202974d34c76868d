"""Between the row of a cluster and its snapshot."""

from typing import Final
from uuid import UUID

from pyk8s.wire.cluster import Cluster
from server.store.tables import ClusterRow

SNAPSHOT_FIELDS: Final = {
    "json": frozenset({"conditions", "progress", "queue", "failure"}),
    "plain": frozenset(
        {"phase", "from_pool", "ready_at", "expires_at", "deleted_at", "name", "labels"}
    ),
}
"""The columns that events can change: JSON documents, and values as they are."""


def snapshot_of(row: ClusterRow, *, owner: str, epoch: UUID) -> Cluster:
    """Give the snapshot that a row holds."""
    return Cluster.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "owner": owner,
            "template": row.template,
            "kubernetes_version": row.kubernetes_version,
            "control_planes": row.control_planes,
            "workers": row.workers,
            "labels": row.labels,
            "driver": row.driver,
            "phase": row.phase,
            "conditions": row.conditions,
            "progress": row.progress,
            "queue": row.queue,
            "failure": row.failure,
            "from_pool": row.from_pool,
            "ttl_seconds": row.ttl_seconds,
            "created_at": row.created_at,
            "ready_at": row.ready_at,
            "expires_at": row.expires_at,
            "deleted_at": row.deleted_at,
            "last_seq": row.last_seq,
            "epoch": epoch,
        }
    )
