"""PyK8s-Lab for programs: ask for real, temporary Kubernetes clusters and follow them.

    async with Lab() as lab:
        cluster = await lab.clusters.create("demo")
        await cluster.wait_ready()
        print(await cluster.kubeconfig())

The names are loaded at their first use, so that importing the package is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyk8s.client.backoff import Backoff
    from pyk8s.client.cluster import Cluster
    from pyk8s.client.clusters import Clusters
    from pyk8s.client.errors import (
        ApiProblem,
        ClusterFailed,
        ClusterGone,
        ConfigProblem,
        Conflict,
        Forbidden,
        GapDetected,
        Invalid,
        KubeconfigProblem,
        LabError,
        Misunderstood,
        NotFound,
        OverCapacity,
        StreamRefused,
        Unauthenticated,
        Unreachable,
        WaitTimeout,
    )
    from pyk8s.client.lab import Lab
    from pyk8s.client.stream import Connected, Reconnecting, StreamState
    from pyk8s.wire.cluster import Phase, Step
    from pyk8s.wire.events import ClusterEvent

__all__ = [
    "ApiProblem",
    "Backoff",
    "Cluster",
    "ClusterEvent",
    "ClusterFailed",
    "ClusterGone",
    "Clusters",
    "ConfigProblem",
    "Conflict",
    "Connected",
    "Forbidden",
    "GapDetected",
    "Invalid",
    "KubeconfigProblem",
    "Lab",
    "LabError",
    "Misunderstood",
    "NotFound",
    "OverCapacity",
    "Phase",
    "Reconnecting",
    "Step",
    "StreamRefused",
    "StreamState",
    "Unauthenticated",
    "Unreachable",
    "WaitTimeout",
]

_ELSEWHERE = {
    "Backoff": "pyk8s.client.backoff",
    "Cluster": "pyk8s.client.cluster",
    "ClusterEvent": "pyk8s.wire.events",
    "Clusters": "pyk8s.client.clusters",
    "Connected": "pyk8s.client.stream",
    "Lab": "pyk8s.client.lab",
    "Phase": "pyk8s.wire.cluster",
    "Reconnecting": "pyk8s.client.stream",
    "Step": "pyk8s.wire.cluster",
    "StreamState": "pyk8s.client.stream",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE.get(name, "pyk8s.client.errors")), name)
