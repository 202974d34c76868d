"""The cluster as the wire shows it."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from pyk8s.wire.base import Answer, Ask, Timestamp


class Phase(StrEnum):
    """One-word summary of a cluster's life, for people. Programs read `conditions`."""

    PENDING = "pending"
    PROVISIONING = "provisioning"
    READY = "ready"
    PAUSED = "paused"
    FAILED = "failed"
    DELETING = "deleting"
    DELETED = "deleted"


USABLE = frozenset({Phase.READY, Phase.PAUSED})
"""Its nodes are there and its lease runs. Whoever uses a paused one wakes it."""


class Step(StrEnum):
    """One action of kind inside the phase `provisioning`."""

    NODE_IMAGE = "node_image"
    NODES = "nodes"
    LOAD_BALANCER = "load_balancer"
    CONFIGURATION = "configuration"
    CONTROL_PLANE = "control_plane"
    NETWORK = "network"
    STORAGE = "storage"
    MORE_CONTROL_PLANES = "more_control_planes"
    WORKERS = "workers"
    NODE_READY = "node_ready"
    ACCESS = "access"


class Condition(Answer):
    """One aspect of a cluster's state, in the sense of the Kubernetes API conventions."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    last_transition_time: Timestamp


class Progress(Answer):
    """How far the provisioning is. `index` counts from 1; the ETAs count from now, in seconds."""

    step: Step
    index: int
    total: int
    percent: int
    eta_seconds: float | None = None
    eta_p95_seconds: float | None = None


class Queue(Answer):
    """Why a cluster is still pending. `position` counts from 1."""

    position: int
    size: int
    reason: str


class EvidenceLine(Answer):
    """A line of the log that a failure is explained with."""

    seq: int
    text: str


class Failure(Answer):
    """Why a cluster failed, what to do about it, and the lines that say so."""

    code: str
    title: str
    cause: str
    fix: str
    evidence: list[EvidenceLine]
    docs: str | None = None


class Cluster(Answer):
    """The snapshot of a cluster: the fold of its events up to and including `last_seq`."""

    id: UUID
    name: str
    owner: str
    template: str
    kubernetes_version: str
    control_planes: int
    workers: int
    labels: dict[str, str]
    driver: str
    phase: Phase
    conditions: list[Condition]
    progress: Progress | None
    queue: Queue | None
    failure: Failure | None
    from_pool: bool
    ttl_seconds: int
    created_at: Timestamp
    ready_at: Timestamp | None
    expires_at: Timestamp | None
    deleted_at: Timestamp | None
    last_seq: int
    epoch: UUID


class Idle(Answer):
    """Since when nobody has used the cluster, and what comes of that."""

    used_at: Timestamp
    """When it was used last, or became ready."""
    pauses_at: Timestamp | None
    """When it is paused if nobody uses it until then."""
    stays_awake_because: str | None
    """Why it is not paused by itself, in plain words."""


class ClusterList(Answer):
    """A page of clusters."""

    items: list[Cluster]
    next_cursor: str | None


CLUSTER_NAME_PATTERN = r"^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$"
"""A DNS label that starts with a letter, at most 32 characters (RFC 1035)."""

ID_OR_NAME_PATTERN = (
    rf"^(?:{CLUSTER_NAME_PATTERN[1:-1]}"
    "|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})$"
)
"""How a path names a cluster; nothing else is one."""

LABEL_KEY_PATTERN = r"^[a-z0-9A-Z](?:[a-z0-9A-Z._/-]{0,61}[a-z0-9A-Z])?$"
LABEL_VALUE_PATTERN = r"^[a-z0-9A-Z._:/ -]{0,63}$"

LABEL_FILTER_PATTERN = r"^[^=,\x00-\x1f\x7f-\x9f]*=[^,\x00-\x1f\x7f-\x9f]*$"
"""`key=value`: the clusters that have this label. Commas are between several."""

MAX_LABELS = 16
MIN_TTL_SECONDS = 60
MAX_TTL_SECONDS = 7 * 24 * 3600
MAX_WORKERS = 5

ClusterName = Annotated[str, StringConstraints(pattern=CLUSTER_NAME_PATTERN, max_length=32)]
LabelKey = Annotated[str, StringConstraints(pattern=LABEL_KEY_PATTERN)]
LabelValue = Annotated[str, StringConstraints(pattern=LABEL_VALUE_PATTERN)]


def _few(labels: dict[str, str]) -> dict[str, str]:
    if len(labels) > MAX_LABELS:
        raise ValueError(f"at most {MAX_LABELS} labels")
    return labels


Labels = Annotated[
    dict[LabelKey, LabelValue],
    AfterValidator(_few),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": LABEL_KEY_PATTERN},
            "additionalProperties": {"type": "string", "pattern": LABEL_VALUE_PATTERN},
            "maxProperties": MAX_LABELS,
        }
    ),
]


class CreateCluster(Ask):
    """What a person asks for. What is left out comes from the template."""

    name: ClusterName | None = None
    template: str | None = None
    kubernetes_version: str | None = None
    control_planes: Annotated[int, Field(ge=1, le=1)] | None = None
    workers: Annotated[int, Field(ge=0, le=MAX_WORKERS)] | None = None
    ttl_seconds: Annotated[int, Field(ge=MIN_TTL_SECONDS, le=MAX_TTL_SECONDS)] | None = None
    labels: Labels = Field(default_factory=dict)


class ExtendLease(Ask):
    """How much longer the cluster should live, in seconds from the present end of its lease."""

    seconds: Annotated[int, Field(ge=MIN_TTL_SECONDS, le=MAX_TTL_SECONDS)]
