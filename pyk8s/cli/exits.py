"""The exit codes: a script can tell what went wrong without reading."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyk8s.client.errors import LabError

OK = 0
OTHER = 1
USAGE = 2
NOT_FOUND = 3
AUTH = 4
CONFLICT = 5
CAPACITY = 6
TIMEOUT = 7
CLUSTER_FAILED = 8
UNREACHABLE = 9
INTERRUPTED = 130

MEANING = {
    OK: "done",
    OTHER: "something else went wrong; the message says what",
    USAGE: "the command line, a value or the configuration is wrong",
    NOT_FOUND: "there is no such thing, or it belongs to somebody else",
    AUTH: "not signed in, wrong password, or not allowed",
    CONFLICT: "the name is taken, or the cluster is not in the right phase",
    CAPACITY: "a quota is used up, or the server cannot take more",
    TIMEOUT: "it did not happen in time; it may still happen",
    CLUSTER_FAILED: "the cluster failed, or was deleted while it was waited for",
    UNREACHABLE: "no PyK8s-Lab server answers, or its database does not",
    INTERRUPTED: "Ctrl-C",
}

_CODES = {
    "too_many_attempts": AUTH,
    "unavailable": UNREACHABLE,
    "database_restarting": UNREACHABLE,
    "database_full": UNREACHABLE,
}
"""Problems whose HTTP status alone would tell a script something else."""
_STREAM = {4501: AUTH, 4503: AUTH, 4504: NOT_FOUND}


def exit_code(error: "LabError") -> int:
    """Give the exit code for an error of the SDK."""
    from pyk8s.client import errors

    if isinstance(error, errors.ApiProblem) and error.code in _CODES:
        return _CODES[error.code]
    if isinstance(error, errors.StreamRefused):
        return _STREAM.get(error.code, OTHER) if isinstance(error.code, int) else OTHER
    kinds: list[tuple[type[LabError], int]] = [
        (errors.Invalid, USAGE),
        (errors.ConfigProblem, USAGE),
        (errors.NotFound, NOT_FOUND),
        (errors.Unauthenticated, AUTH),
        (errors.Forbidden, AUTH),
        (errors.Conflict, CONFLICT),
        (errors.OverCapacity, CAPACITY),
        (errors.WaitTimeout, TIMEOUT),
        (errors.ClusterFailed, CLUSTER_FAILED),
        (errors.ClusterGone, CLUSTER_FAILED),
        (errors.Unreachable, UNREACHABLE),
        (errors.Misunderstood, UNREACHABLE),
    ]
    return next((code for kind, code in kinds if isinstance(error, kind)), OTHER)
