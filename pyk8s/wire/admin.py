"""What administrators see: the drift between what should exist on a host and what does."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from pyk8s.wire.base import Answer, Ask, Timestamp
from pyk8s.wire.cluster import Phase

MAX_POOL = 20
"""Prebuilt clusters of one template."""


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


class PoolState(Answer):
    """The prebuilt clusters of one template."""

    template: str
    size: int
    """How many there should be."""
    ready: int
    """How many somebody could take now."""
    paused: int
    """How many of those are frozen until they are taken."""
    awake: int
    """How many are kept awake when there are enough."""
    building: int
    waits_for: str | None
    """Why there are fewer than there should be, and none is begun."""


class PoolList(Answer):
    """The pool, template by template."""

    items: list[PoolState]


class SetPool(Ask):
    """How many prebuilt clusters of a template there should be from now on."""

    template: str
    size: Annotated[int, Field(ge=0, le=MAX_POOL)]
