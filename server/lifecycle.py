"""The state machine of a cluster, as a table. Pure."""

from collections.abc import Mapping
from typing import Final

from pyk8s.wire.cluster import Phase

TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = {
    # asked for -> a worker began; or it could not begin; or nobody wants it any more
    Phase.PENDING: frozenset({Phase.PROVISIONING, Phase.FAILED, Phase.DELETING}),
    # being built -> it answers; or it broke; or it was cancelled
    Phase.PROVISIONING: frozenset({Phase.READY, Phase.FAILED, Phase.DELETING}),
    # usable -> frozen; or it broke for good; or its time is over
    Phase.READY: frozenset({Phase.PAUSED, Phase.FAILED, Phase.DELETING}),
    # frozen -> awake again; or it broke for good; or its time is over
    Phase.PAUSED: frozenset({Phase.READY, Phase.FAILED, Phase.DELETING}),
    # broken -> tried again; or given up
    Phase.FAILED: frozenset({Phase.PENDING, Phase.DELETING}),
    # going -> gone
    Phase.DELETING: frozenset({Phase.DELETED}),
    # gone for ever
    Phase.DELETED: frozenset(),
}


def sources_of(target: Phase) -> frozenset[Phase]:
    """Give the phases from which `target` can be reached in one step."""
    return frozenset(phase for phase, targets in TRANSITIONS.items() if target in targets)
