"""Why a cluster cannot be reached, or what is in it."""

from server.errors.base import LabError


class NotReady(LabError):
    """The cluster cannot be reached yet, or any more."""

    code = "not_ready"
    status = 409
    title = "The cluster is not ready"


class Simulated(LabError):
    """The cluster is simulated: there is nothing behind it that could answer."""

    code = "simulated"
    status = 409
    title = "The cluster is simulated"


class ClusterAway(LabError):
    """The API server of the caller's cluster does not answer, or not as it should."""

    code = "cluster_away"
    status = 503
    title = "The cluster does not answer"


class LogUnavailable(LabError):
    """A container has no such log, or not yet; or which container is not said."""

    code = "log_unavailable"
    status = 409
    title = "There is no such log now"


class NoProxy(LabError):
    """The operator has switched the Kubernetes API proxy off."""

    code = "no_proxy"
    status = 409
    title = "There is no proxy here"


class NoApps(LabError):
    """The operator has switched publishing off."""

    code = "no_apps"
    status = 409
    title = "Apps cannot be published here"


class ServedElsewhere(LabError):
    """The cluster runs on another host; the server there reaches into its nodes."""

    code = "served_elsewhere"
    status = 409
    title = "The cluster is on another host"


class ImageRefused(LabError):
    """What was sent is no archive of images, or the cluster's nodes cannot take it."""

    code = "image_refused"
    status = 422
    title = "The images cannot be loaded"


class TooManyUploads(LabError):
    """As many archives of images are being loaded as may be at once."""

    code = "too_many_uploads"
    status = 429
    title = "Too many uploads at once"


class NoSuchTerminal(LabError):
    """The terminal has ended, or was never the caller's."""

    code = "no_such_terminal"
    status = 404
    title = "No such terminal"


class TooManyTerminals(LabError):
    """The caller, the cluster or the server has as many terminals open as it may have."""

    code = "too_many_terminals"
    status = 429
    title = "Too many open terminals"


class ShellFailed(LabError):
    """The driver could not start a shell; the detail says why."""

    code = "shell_failed"
    status = 503
    title = "The shell could not be started"
