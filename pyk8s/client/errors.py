"""What can go wrong between a program and a server, each with a type of its own.

All of them are a `LabError`: `str(error)` says what is wrong, `error.fix` says the way out.
"""

from collections.abc import Sequence

from pyk8s.wire.cluster import Cluster, Failure, Phase
from pyk8s.wire.service import FieldError, Problem


class LabError(Exception):
    """Something that a program may want to catch. `fix` is the way out, in plain words."""

    def __init__(self, detail: str, *, fix: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fix = fix


class Unreachable(LabError):
    """Nobody answers at the server's address, or the connection keeps breaking."""


class Misunderstood(LabError):
    """Something answers, but not in the words of a PyK8s-Lab server of this version."""


class ConfigProblem(LabError):
    """The configuration of this machine cannot be used: a file, a variable or an address."""


class KubeconfigProblem(LabError):
    """A kubeconfig cannot be read, locked or written. It is as it was before."""


class ApiProblem(LabError):
    """The server refused. `code` is stable and documented; `errors` names the fields."""

    def __init__(self, problem: Problem, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem.detail or problem.title, fix=problem.fix)
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def code(self) -> str:
        """The stable name of the problem, for programs."""
        return self.problem.code

    @property
    def title(self) -> str:
        """The kind of the problem, for people."""
        return self.problem.title

    @property
    def errors(self) -> Sequence[FieldError]:
        """What is wrong with which field."""
        return self.problem.errors or ()


class Invalid(ApiProblem):
    """The request itself is wrong (400, 413, 415, 422)."""


class Unauthenticated(ApiProblem):
    """The server does not know who is calling (401)."""


class Forbidden(ApiProblem):
    """The server knows who is calling, and they may not do this (403)."""


class NotFound(ApiProblem):
    """There is no such thing, or it belongs to somebody else (404)."""


class Conflict(ApiProblem):
    """The state of things does not allow it now: a name is taken, a phase is wrong (409, 410)."""


class OverCapacity(ApiProblem):
    """A quota is used up, or nothing can take the work now (429, 503)."""


class StreamRefused(LabError):
    """The server closed the stream for good. `code` is the close code, or the error's code."""

    def __init__(self, code: int | str, detail: str, *, fix: str | None = None) -> None:
        super().__init__(detail, fix=fix)
        self.code = code


class GapDetected(LabError):
    """The stream skipped events, which its contract excludes: a bug worth reporting."""

    def __init__(self, *, last: int, received: int) -> None:
        super().__init__(
            f"The stream jumped from event {last} to {received}: events are missing.",
            fix="This is a bug in PyK8s-Lab. Please report it with the two numbers.",
        )
        self.last = last
        self.received = received


class ClusterFailed(LabError):
    """The cluster that was waited for failed. `failure` explains it."""

    def __init__(self, cluster: Cluster) -> None:
        failure = cluster.failure
        super().__init__(
            f"{cluster.name} failed: {failure.cause if failure else 'no cause was recorded'}",
            fix=failure.fix if failure else None,
        )
        self.cluster = cluster
        self.failure: Failure | None = failure


class ClusterGone(LabError):
    """The cluster that was waited for is deleted or being deleted."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(f"{cluster.name} is {cluster.phase}: it will not come back.")
        self.cluster = cluster


class WaitTimeout(LabError):
    """The cluster did not reach the phase in time. It goes on without the caller."""

    def __init__(self, cluster: Cluster, phases: Sequence[Phase], seconds: float) -> None:
        wanted = " or ".join(phases)
        super().__init__(
            f"{cluster.name} is {cluster.phase}, not {wanted}, after {seconds:g} s. It goes on.",
            fix="Wait again, with a longer timeout.",
        )
        self.cluster = cluster
