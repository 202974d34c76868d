"""The events of a cluster: stored facts in commit order.

An event is `{seq, type, version, at, data}`. `seq` goes up by one per cluster,
without a gap. Clients ignore types and fields that they do not know.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from pyk8s.wire.base import Answer, Timestamp
from pyk8s.wire.facts import (
    AttemptStarted,
    ClaimedFromPool,
    ConditionChanged,
    Created,
    CredentialIssued,
    CredentialRevoked,
    FailureExplained,
    ImagesLoaded,
    LeaseExpiring,
    LeaseExtended,
    LogExpired,
    LogLine,
    LogTruncated,
    Note,
    PhaseChanged,
    Queued,
    StepFinished,
    StepStarted,
)


class Envelope(Answer):
    """What every event has."""

    seq: int
    version: int = 1
    at: Timestamp
    cluster_id: UUID | None = None
    """Only on the topic `clusters`."""


class CreatedEvent(Envelope):
    """See `Created`."""

    type: Literal["created"] = "created"
    data: Created


class PhaseChangedEvent(Envelope):
    """See `PhaseChanged`."""

    type: Literal["phase_changed"] = "phase_changed"
    data: PhaseChanged


class ConditionChangedEvent(Envelope):
    """See `ConditionChanged`."""

    type: Literal["condition_changed"] = "condition_changed"
    data: ConditionChanged


class QueuedEvent(Envelope):
    """See `Queued`."""

    type: Literal["queued"] = "queued"
    data: Queued


class StepStartedEvent(Envelope):
    """See `StepStarted`."""

    type: Literal["step_started"] = "step_started"
    data: StepStarted


class StepFinishedEvent(Envelope):
    """See `StepFinished`."""

    type: Literal["step_finished"] = "step_finished"
    data: StepFinished


class LogLineEvent(Envelope):
    """See `LogLine`."""

    type: Literal["log_line"] = "log_line"
    data: LogLine


class LogTruncatedEvent(Envelope):
    """See `LogTruncated`."""

    type: Literal["log_truncated"] = "log_truncated"
    data: LogTruncated


class LogExpiredEvent(Envelope):
    """See `LogExpired`."""

    type: Literal["log_expired"] = "log_expired"
    data: LogExpired


class LeaseExtendedEvent(Envelope):
    """See `LeaseExtended`."""

    type: Literal["lease_extended"] = "lease_extended"
    data: LeaseExtended


class LeaseExpiringEvent(Envelope):
    """See `LeaseExpiring`."""

    type: Literal["lease_expiring"] = "lease_expiring"
    data: LeaseExpiring


class ClaimedFromPoolEvent(Envelope):
    """See `ClaimedFromPool`."""

    type: Literal["claimed_from_pool"] = "claimed_from_pool"
    data: ClaimedFromPool


class CredentialIssuedEvent(Envelope):
    """See `CredentialIssued`."""

    type: Literal["credential_issued"] = "credential_issued"
    data: CredentialIssued


class CredentialRevokedEvent(Envelope):
    """See `CredentialRevoked`."""

    type: Literal["credential_revoked"] = "credential_revoked"
    data: CredentialRevoked


class ImagesLoadedEvent(Envelope):
    """See `ImagesLoaded`."""

    type: Literal["images_loaded"] = "images_loaded"
    data: ImagesLoaded


class FailureExplainedEvent(Envelope):
    """See `FailureExplained`."""

    type: Literal["failure_explained"] = "failure_explained"
    data: FailureExplained


class AttemptStartedEvent(Envelope):
    """See `AttemptStarted`."""

    type: Literal["attempt_started"] = "attempt_started"
    data: AttemptStarted


class NoteEvent(Envelope):
    """See `Note`."""

    type: Literal["note"] = "note"
    data: Note


ClusterEvent = Annotated[
    CreatedEvent
    | PhaseChangedEvent
    | ConditionChangedEvent
    | QueuedEvent
    | StepStartedEvent
    | StepFinishedEvent
    | LogLineEvent
    | LogTruncatedEvent
    | LogExpiredEvent
    | LeaseExtendedEvent
    | LeaseExpiringEvent
    | ClaimedFromPoolEvent
    | CredentialIssuedEvent
    | CredentialRevokedEvent
    | ImagesLoadedEvent
    | FailureExplainedEvent
    | AttemptStartedEvent
    | NoteEvent,
    Field(discriminator="type"),
]
"""Every event there is, told apart by `type`."""
