"""What is inside a cluster: one slim row for each Kubernetes object, told apart by `kind`.

`uid` names a row: it is Kubernetes' own, and never used twice. Texts come from inside the cluster,
cut to a length that a page can show; nothing in them was checked.
"""

from typing import Annotated, Literal

from pydantic import Field

from pyk8s.wire.base import Answer, Timestamp

Health = Literal["ok", "busy", "bad", "done"]
"""`busy`: on its way, up or down. `bad`: somebody should look. `done`: ended as it should."""

Kind = Literal[
    "Node",
    "Namespace",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Pod",
    "Service",
    "Event",
]


class Row(Answer):
    """What every object has."""

    uid: str
    name: str
    created_at: Timestamp | None = None
    """When it was created: its age counts from here."""


class NodeRow(Row):
    """A machine of the cluster."""

    kind: Literal["Node"] = "Node"
    status: str
    """As kubectl prints it: `Ready`, `NotReady`, `Ready,SchedulingDisabled`."""
    health: Health
    roles: list[str]
    version: str
    ip: str | None = None


class NamespaceRow(Row):
    """A namespace."""

    kind: Literal["Namespace"] = "Namespace"
    status: str
    health: Health


class WorkloadRow(Row):
    """What keeps pods running, or runs them to their end."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"]
    namespace: str
    status: str
    health: Health
    ready: int
    """Pods that are ready; of a job, those that have succeeded; of a cron job, jobs that run."""
    desired: int | None = None
    """How many there should be. None: it has no such number."""
    images: list[str]
    schedule: str | None = None
    """Of a cron job, when it runs."""


class ContainerRow(Answer):
    """One container of a pod."""

    name: str
    image: str
    state: str
    """`Running`, or the reason why not, as Kubernetes gives it."""
    health: Health
    ready: bool
    restarts: int
    is_init: bool = False
    """It runs before the others do."""


class PodRow(Row):
    """A pod, with the status that kubectl prints."""

    kind: Literal["Pod"] = "Pod"
    namespace: str
    status: str
    """`Running`, `Completed`, `CrashLoopBackOff`, `Init:0/1`, `Terminating` and so on."""
    health: Health
    ready: int
    total: int
    restarts: int
    restarted_at: Timestamp | None = None
    """When a container last ended before it was started again."""
    node: str | None = None
    ip: str | None = None
    owner: str | None = None
    """What made it: `ReplicaSet/web-5d7`."""
    message: str | None = None
    """Why it waits or failed, in Kubernetes' words."""
    containers: list[ContainerRow]


class ServiceRow(Row):
    """A service."""

    kind: Literal["Service"] = "Service"
    namespace: str
    type: str
    cluster_ip: str | None = None
    """`None` in words when it is headless."""
    ports: list[str]
    """As kubectl prints them: `80/TCP`, `80:30123/TCP` with the port of the node."""
    external: list[str]
    """Addresses outside the cluster."""


class EventRow(Row):
    """Something that Kubernetes tells about an object."""

    kind: Literal["Event"] = "Event"
    namespace: str
    type: str
    """`Normal` or `Warning`."""
    reason: str
    object: str
    """What it is about: `Pod/web-5d7-x2x`."""
    message: str
    count: int
    last_seen: Timestamp | None = None


ResourceRow = Annotated[
    NodeRow | NamespaceRow | WorkloadRow | PodRow | ServiceRow | EventRow,
    Field(discriminator="kind"),
]


class Resources(Answer):
    """Everything that is looked at, as it was at one moment."""

    at: Timestamp
    items: list[ResourceRow]
    more: dict[Kind, int]
    """How many are left out, by kind, where there are more than are shown."""


class ResourcesChange(Answer):
    """What became different: of the stream. A put row replaces the one with its `uid`."""

    at: Timestamp
    put: list[ResourceRow]
    remove: list[str]
    more: dict[Kind, int]


class ResourcesAway(Answer):
    """The cluster does not answer: of the stream. What was told before may not be true now."""

    at: Timestamp
    code: str
    detail: str


class ResourcesBeat(Answer):
    """The stream is alive, and what it has told is true now."""

    at: Timestamp
