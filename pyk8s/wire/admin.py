"""What administrators see: the drift between what should exist on a host and what does."""

from uuid import UUID

from pydantic import Field

from pyk8s.wire.base import Answer, Ask, Timestamp
from pyk8s.wire.cluster import Phase


class DriftAttempt(Answer):
    """One attempt side by side: what the database says, and what is on the host."""

    attempt_id: UUID
    cluster_id: UUID | None = None
    """None: the database does not know the attempt."""
    cluster: str | None = None
    phase: Phase | None = None
    outcome: str | None = None
    pieces: list[str]
    """What the driver found: containers with their state, networks, volumes."""
    has_directory: bool
    """The attempt's own directory, with kind's kubeconfig, is there."""
    has_kubeconfig: bool
    """The database holds the way into the cluster."""


class Difference(Answer):
    """One thing that is not as it should be."""

    id: str
    kind: str
    attempt_id: UUID | None = None
    cluster_id: UUID | None = None
    explanation: str
    repair: str
    """What is done about it, or what a person can do."""
    is_repairable: bool


class HostDrift(Answer):
    """What the last look at a host has found."""

    host: str
    driver: str
    seen_at: Timestamp
    unreachable: str | None = None
    """Why nobody could look; the rest is then of no worth."""
    attempts: list[DriftAttempt]
    differences: list[Difference]


class DriftReport(Answer):
    """All hosts."""

    items: list[HostDrift]
    next_cursor: str | None = None


class RepairDrift(Ask):
    """Which differences are to be repaired; none named: all. A dry run only tells."""

    differences: list[str] | None = Field(None, max_length=1000)
    dry_run: bool = True


class Repair(Answer):
    """What is repaired within seconds, or would be."""

    dry_run: bool
    differences: list[Difference]
