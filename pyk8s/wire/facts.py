"""What can happen to a cluster: facts, past tense, versioned. `events` puts them into envelopes."""

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


class LogExpired(EventData):
    """Stands for the lines `from` to `to`, which were given up a set time after the end.

    Its `seq` is `to`: the only event that closes a gap of numbers.
    """

    TYPE: ClassVar[str] = "log_expired"
    from_: Annotated[int, Field(alias="from", serialization_alias="from")]
    to: int

    model_config = ConfigDict(populate_by_name=True)


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
    credential_id: UUID | None = None


class CredentialRevoked(EventData):
    """A kubeconfig stopped working."""

    TYPE: ClassVar[str] = "credential_revoked"
    credential_id: UUID


class ImagesLoaded(EventData):
    """Somebody brought images into the nodes. `size_bytes`: of their archive."""

    TYPE: ClassVar[str] = "images_loaded"
    names: list[str]
    size_bytes: int
    by: str


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
