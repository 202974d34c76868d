"""The rows of what keeps pods running, or runs them to their end."""

from pyk8s.wire.resources import Health, WorkloadRow
from server.drivers.kube_objects import (
    LISTED,
    Object,
    condition,
    instant,
    number,
    part,
    parts,
    text,
)


def deployment_row(given: Object) -> WorkloadRow:
    """Give the row of a deployment."""
    desired = number(part(given, "spec"), "replicas", 1)
    ready = number(part(given, "status"), "readyReplicas")
    failed = condition(given, "Progressing") == "False" or (
        condition(given, "ReplicaFailure") == "True"
    )
    status, health = _stand(ready, desired, fails="Not progressing" if failed else "")
    return _row(given, "Deployment", status, health, ready=ready, desired=desired)


def stateful_set_row(given: Object) -> WorkloadRow:
    """Give the row of a stateful set."""
    desired = number(part(given, "spec"), "replicas", 1)
    ready = number(part(given, "status"), "readyReplicas")
    status, health = _stand(ready, desired)
    return _row(given, "StatefulSet", status, health, ready=ready, desired=desired)


def daemon_set_row(given: Object) -> WorkloadRow:
    """Give the row of a daemon set."""
    desired = number(part(given, "status"), "desiredNumberScheduled")
    ready = number(part(given, "status"), "numberReady")
    status, health = _stand(ready, desired)
    return _row(given, "DaemonSet", status, health, ready=ready, desired=desired)


def job_row(given: Object) -> WorkloadRow:
    """Give the row of a job."""
    spec, status = part(given, "spec"), part(given, "status")
    ended: tuple[str, Health]
    if condition(given, "Complete") == "True":
        ended = "Complete", "done"
    elif condition(given, "Failed") == "True":
        ended = "Failed", "bad"
    elif condition(given, "Suspended") == "True":
        ended = "Suspended", "busy"
    else:
        ended = "Running", "busy"
    desired = number(spec, "completions") or number(spec, "parallelism", 1)
    return _row(given, "Job", *ended, ready=number(status, "succeeded"), desired=desired)


def cron_job_row(given: Object) -> WorkloadRow:
    """Give the row of a cron job."""
    spec = part(given, "spec")
    running = len(parts(part(given, "status"), "active"))
    status = "Suspended" if spec.get("suspend") is True else "Running" if running else "Waiting"
    row = _row(given, "CronJob", status, "busy" if running else "ok", ready=running, desired=None)
    return row.model_copy(update={"schedule": text(spec, "schedule")})


def _stand(ready: int, desired: int, fails: str = "") -> tuple[str, Health]:
    if fails:
        return fails, "bad"
    if desired == 0:
        return "Scaled to zero", "done"
    return ("Ready", "ok") if ready >= desired else ("Not ready", "busy")


def _row(
    given: Object,
    kind: str,
    status: str,
    health: Health,
    *,
    ready: int,
    desired: int | None,
) -> WorkloadRow:
    metadata = part(given, "metadata")
    template = part(given, "spec", "jobTemplate") if kind == "CronJob" else given
    containers = parts(part(template, "spec", "template", "spec"), "containers")
    document = {
        "uid": text(metadata, "uid"),
        "name": text(metadata, "name"),
        "namespace": text(metadata, "namespace"),
        "created_at": instant(metadata, "creationTimestamp"),
        "kind": kind,
        "status": status,
        "health": health,
        "ready": ready,
        "desired": desired,
        "images": [text(each, "image") for each in containers[:LISTED]],
    }
    return WorkloadRow.model_validate(document)
