"""What can go wrong, told four ways: to people, to programs, to the log and to HTTP.

Each class is one stable `code` (documented in docs/reference/errors.md). `detail` says what
happened, `fix` the way out; neither ever holds a secret.
"""

from collections.abc import Collection, Sequence
from typing import ClassVar

from pyk8s.wire.service import FieldError
from server.errors.limits import RateLimit


class LabError(Exception):
    """A refusal with a reason. Handlers let it pass; `api.problems` turns it into a body."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "The server made a mistake"

    def __init__(
        self,
        detail: str,
        *,
        fix: str | None = None,
        errors: Sequence[FieldError] | None = None,
        retry_after: float | None = None,
        limit: RateLimit | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fix = fix
        self.errors = list(errors) if errors is not None else None
        self.retry_after = retry_after
        self.limit = limit


class Internal(LabError):
    """A defect of the server; the log has more under the request's id."""


class ValidationFailed(LabError):
    """The request's body, query or path does not say what it must."""

    code = "validation"
    status = 422
    title = "The request is not valid"


class Unstorable(LabError):
    """PostgreSQL cannot hold a value of the request; the server should have refused it before."""

    code = "unstorable"
    status = 422
    title = "A value cannot be stored"


class TemplateUnknown(LabError):
    """There is no template of this name."""

    code = "template_unknown"
    status = 422
    title = "No such template"


class VersionUnknown(LabError):
    """No host has a node image for this Kubernetes version."""

    code = "version_unknown"
    status = 422
    title = "No such Kubernetes version here"


class Unauthenticated(LabError):
    """Nobody is signed in, or the session or token has ended."""

    code = "unauthenticated"
    status = 401
    title = "Sign in first"


class WrongCredentials(LabError):
    """Name and password do not belong together; which of them is wrong is not told."""

    code = "wrong_credentials"
    status = 401
    title = "Wrong name or password"


class Forbidden(LabError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class CrossOrigin(LabError):
    """A page of another origin tried to act with the browser's cookie."""

    code = "cross_origin"
    status = 403
    title = "Request from another site"


class SignupClosed(LabError):
    """This server takes no new accounts."""

    code = "signup_closed"
    status = 403
    title = "Registration is closed"


class SetupCodeRequired(LabError):
    """The first account needs the setup code of this server, and it is missing or wrong."""

    code = "setup_code_required"
    status = 403
    title = "The setup code is needed"


class NotFound(LabError):
    """It does not exist, or belongs to somebody else: the same answer, byte for byte."""

    code = "not_found"
    status = 404
    title = "Not found"


class NoEvidence(LabError):
    """Nothing was kept: the cluster did not fail, or failed before there was anything to see."""

    code = "no_evidence"
    status = 404
    title = "There is no evidence"


class HostUnknown(LabError):
    """The request is for a host name that is none of this server's."""

    code = "host_unknown"
    status = 421
    title = "No server of this name here"


class MethodNotAllowed(LabError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


class NameTaken(LabError):
    """The caller has a living cluster of this name."""

    code = "name_taken"
    status = 409
    title = "The name is taken"


class UsernameTaken(LabError):
    """Somebody has registered under this name."""

    code = "username_taken"
    status = 409
    title = "The user name is taken"


class PhaseConflict(LabError):
    """The cluster is in a phase in which this cannot be done."""

    code = "phase_conflict"
    status = 409
    title = "Not in this phase"

    def __init__(self, expected: Collection[str], actual: str, *, fix: str | None = None) -> None:
        wanted = " or ".join(sorted(expected)) or "no phase"
        super().__init__(f"this needs the phase {wanted}; the cluster is {actual}", fix=fix)
        self.expected = frozenset(expected)
        self.actual = actual


class UnknownPosition(LabError):
    """The caller's cursor or epoch is not of this log: it was wiped, or somebody errs."""

    code = "unknown_position"
    status = 410
    title = "The log is another one than you know"


class KeyReused(LabError):
    """The Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"
    status = 422
    title = "Idempotency-Key used for something else"


class TooLarge(LabError):
    """The body is larger than any valid request."""

    code = "too_large"
    status = 413
    title = "The body is too large"


class UpgradeRequired(LabError):
    """The address is that of a WebSocket, and was asked for as a page."""

    code = "upgrade_required"
    status = 426
    title = "This is a WebSocket"


class UnsupportedMediaType(LabError):
    """The body is not of the type that the endpoint takes: mostly JSON."""

    code = "unsupported_media_type"
    status = 415
    title = "Another type of body is expected"


class QuotaExceeded(LabError):
    """The caller has as many as they may have: of clusters, tries, apps, tokens or credentials."""

    code = "quota_exceeded"
    status = 429
    title = "You have as many as you may have"


class TooManyAttempts(LabError):
    """Too many wrong passwords for this account, or wrong setup codes, in a short time."""

    code = "too_many_attempts"
    status = 429
    title = "Too many attempts"


class SignInBusy(LabError):
    """So many passwords wait to be checked that this one was not taken."""

    code = "sign_in_busy"
    status = 503
    title = "Too many sign-ins at once"


class Unavailable(LabError):
    """A part that the answer needs, mostly PostgreSQL, does not answer now."""

    code = "unavailable"
    status = 503
    title = "Not available at this moment"


class NoProvisioner(LabError):
    """No provisioner has announced itself, so nobody could build the cluster."""

    code = "no_provisioner"
    status = 503
    title = "No provisioner is running"


class LostClaim(LabError):
    """Another worker holds the job now; whatever this one was about to write is void."""

    code = "lost_claim"
    title = "The claim was lost"


class RecordedFurther(LabError):
    """More of the spool is recorded than this worker knows: a commit arrived without its answer."""

    code = "recorded_further"
    title = "More is recorded than was known"


class StartFailed(LabError):
    """The server cannot start; the detail says why, the fix how to go on."""

    code = "start_failed"
    title = "The server cannot start"
