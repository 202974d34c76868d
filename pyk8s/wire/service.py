"""Templates, capacity, health and problems on the wire."""

from typing import Any, Literal

from pydantic import Field

from pyk8s.wire.base import Answer
from pyk8s.wire.cluster import Step


class ExpectedStep(Answer):
    """How long a step takes, and how long it is from its beginning until the cluster is ready."""

    step: Step
    p50: float
    p95: float
    left_p10: float
    left_p50: float
    left_p95: float


class Expected(Answer):
    """How long a create of this template takes, from the last ones, in seconds.

    It is told from its beginning: the time in a queue is not part of it.
    """

    p10: float
    p50: float
    p95: float
    samples: int
    steps: list[ExpectedStep]


class Template(Answer):
    """A named preset."""

    name: str
    title: str
    description: str
    kubernetes_version: str
    control_planes: int
    workers: int
    addons: list[str]
    ttl_seconds: int
    expected_seconds: Expected | None
    is_default: bool


class TemplateList(Answer):
    """All templates."""

    items: list[Template]
    next_cursor: str | None = None


class PoolLevel(Answer):
    """How many clusters of a template are wanted and built ahead."""

    target: int
    prebuilt: int


class Capacity(Answer):
    """What the host can still take."""

    driver: str
    clusters: int
    """Clusters that exist now, of all users."""
    room_for: int
    """How many more the host takes at this moment."""
    shortage: str | None
    """What is short when `room_for` is 0, in plain words."""
    pool: dict[str, PoolLevel]


class FieldError(Answer):
    """What is wrong with one field of a request."""

    field: str
    message: str
    input: Any = None


class Problem(Answer):
    """An RFC 9457 body. `code` is stable and documented, `fix` is the way out."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    fix: str | None = None
    errors: list[FieldError] | None = None


class Check(Answer):
    """One thing that has to work, and how to mend it."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None
    required: bool = True


class Health(Answer):
    """Whether the server can do its work."""

    status: Literal["ok", "unready"]
    version: str
    driver: str
    checks: list[Check] = Field(default_factory=list)


class ServerInfo(Answer):
    """What anybody may know before signing in."""

    name: str
    version: str
    driver: str
    """`kind`, `simulated`, or `none` while no provisioner has announced itself."""
    signup: Literal["open", "closed"]
    is_empty: bool
    """Nobody has registered yet: the next account becomes the admin. Not told to strangers."""
    setup_code_required: bool = False
    """The next account becomes the admin, and needs the setup code that the start printed."""
    max_ttl_seconds: int
    trust: str
    """The trust level, to be shown where people sign in."""
