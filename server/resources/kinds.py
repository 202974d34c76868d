"""What is looked at: where each kind is listed, how a row is made of it, how many are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pyk8s.wire.resources import Kind, Row
from server.drivers.kube_objects import Object
from server.resources.pods import pod_row
from server.resources.rows import event_row, namespace_row, node_row, service_row
from server.resources.workloads import (
    cron_job_row,
    daemon_set_row,
    deployment_row,
    job_row,
    stateful_set_row,
)


@dataclass(frozen=True, slots=True)
class Watched:
    """One kind of object."""

    kind: Kind
    path: str
    row: Callable[[Object], Row]
    cap: int
    """So many rows are kept: a page for people, and a bound on what one cluster costs."""


KINDS: Final = (
    Watched("Node", "/api/v1/nodes", node_row, 200),
    Watched("Namespace", "/api/v1/namespaces", namespace_row, 500),
    Watched("Deployment", "/apis/apps/v1/deployments", deployment_row, 1000),
    Watched("StatefulSet", "/apis/apps/v1/statefulsets", stateful_set_row, 500),
    Watched("DaemonSet", "/apis/apps/v1/daemonsets", daemon_set_row, 500),
    Watched("Job", "/apis/batch/v1/jobs", job_row, 500),
    Watched("CronJob", "/apis/batch/v1/cronjobs", cron_job_row, 500),
    Watched("Pod", "/api/v1/pods", pod_row, 2000),
    Watched("Service", "/api/v1/services", service_row, 1000),
    Watched("Event", "/api/v1/events", event_row, 300),
)
