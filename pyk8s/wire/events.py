"""The events of a cluster: stored facts, past tense, versioned, in commit order.

An event is `{seq, type, version, at, data}`. `seq` goes up by one per cluster,
without a gap. Clients ignore types and fields that they do not know.
"""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from pyk8s.wire.base import Answer, Timestamp
from pyk8s.wire.cluster import Cluster, Condition, EvidenceLine, Phase, Step


class EventData(Answer):
    """What happened. The class attributes name it on the wire."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1


class Created(EventData):
    """Somebody asked for the cluster. Carries its first snapshot, so that the log stands alone."""

    TYPE: ClassVar[str] = "created"
    cluster: Cluster


class PhaseChanged(EventData):
    """The cluster moved along the lifecycle. `reason` is CamelCase."""

    TYPE: ClassVar[str] = "phase_changed"
    from_: Annotated[Phase, Field(alias="from", serialization_alias="from")]
    to: Phase
    reason: str

    model_config = ConfigDict(populate_by_name=True)


class ConditionChanged(EventData):
    """One aspect of the cluster changed."""

    TYPE: ClassVar[str] = "condition_changed"
    condition: Condition


class Queued(EventData):
    """The create waits for a place, or for another one now. `position` counts from 1."""

    TYPE: ClassVar[str] = "queued"
    position: int
    size: int
    reason: str


class StepStarted(EventData):
    """kind began a step. `index` counts from 1."""

    TYPE: ClassVar[str] = "step_started"
    step: Step
    index: int
    total: int


class StepFinished(EventData):
    """kind ended a step."""

    TYPE: ClassVar[str] = "step_finished"
    step: Step
    outcome: Literal["succeeded", "failed"]
    duration_seconds: float


class LogLine(EventData):
    """One line of the driver's output, cleaned. `cont`: the next line continues this one."""

    TYPE: ClassVar[str] = "log_line"
    stream: Literal["stdout", "stderr", "lab"]
    text: str
    cont: bool = False


class LogTruncated(EventData):
    """The log reached its cap; the build goes on, its further lines are not kept."""

    TYPE: ClassVar[str] = "log_truncated"
    cap_bytes: int


class LeaseExtended(EventData):
    """The user's right to the cluster has a new end. Also said once when the lease begins."""

    TYPE: ClassVar[str] = "lease_extended"
    expires_at: Timestamp


class LeaseExpiring(EventData):
    """The lease ends soon."""

    TYPE: ClassVar[str] = "lease_expiring"
    expires_at: Timestamp


class ClaimedFromPool(EventData):
    """The cluster was built before somebody asked."""

    TYPE: ClassVar[str] = "claimed_from_pool"


class CredentialIssued(EventData):
    """Somebody downloaded a kubeconfig."""

    TYPE: ClassVar[str] = "credential_issued"
    endpoint: Literal["direct", "proxy"]
    by: str


class CredentialRevoked(EventData):
    """A kubeconfig stopped working."""

    TYPE: ClassVar[str] = "credential_revoked"
    credential_id: UUID


class FailureExplained(EventData):
    """Why the cluster failed."""

    TYPE: ClassVar[str] = "failure_explained"
    code: str
    title: str
    cause: str
    fix: str
    evidence: list[EvidenceLine]
    docs: str | None = None


class AttemptStarted(EventData):
    """One try at creating the cluster began. `attempt` counts from 1."""

    TYPE: ClassVar[str] = "attempt_started"
    attempt: int


class Note(EventData):
    """Something worth telling that changes nothing."""

    TYPE: ClassVar[str] = "note"
    text: str


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
    | LeaseExtendedEvent
    | LeaseExpiringEvent
    | ClaimedFromPoolEvent
    | CredentialIssuedEvent
    | CredentialRevokedEvent
    | FailureExplainedEvent
    | AttemptStartedEvent
    | NoteEvent,
    Field(discriminator="type"),
]
"""Every event there is, told apart by `type`."""
