"""What a wait for a phase comes to. Pure."""

from collections.abc import Collection
from typing import Final

from pyk8s.client.errors import ClusterFailed, ClusterGone
from pyk8s.wire.cluster import Cluster, Phase

GONE: Final = frozenset({Phase.DELETING, Phase.DELETED})


def is_in(cluster: Cluster, wanted: Collection[Phase]) -> bool:
    """Tell whether a cluster is in one of the phases.

    Raises:
        ClusterFailed: it has failed, so that it will not come to any of them by itself.
        ClusterGone: it is being deleted.
    """
    if cluster.phase in wanted:
        return True
    if cluster.phase is Phase.FAILED and not GONE.intersection(wanted):
        raise ClusterFailed(cluster)
    if cluster.phase in GONE and not GONE.intersection(wanted):
        raise ClusterGone(cluster)
    return False
