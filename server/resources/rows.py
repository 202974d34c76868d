"""From Kubernetes' objects to rows: pure, and one function for each kind."""

from typing import Final

from pyk8s.wire.resources import (
    EventRow,
    NamespaceRow,
    NodeRow,
    ServiceRow,
)
from server.drivers.kube_objects import (
    LISTED,
    TEXT_CHARS,
    Object,
    condition,
    instant,
    number,
    part,
    parts,
    text,
    texts,
)

ROLE: Final = "node-role.kubernetes.io/"


def node_row(given: Object) -> NodeRow:
    """Give the row of a node."""
    metadata, spec, status = (part(given, name) for name in ("metadata", "spec", "status"))
    is_ready = condition(given, "Ready") == "True"
    closed = spec.get("unschedulable") is True
    labels = part(metadata, "labels")
    addresses = {text(each, "type"): text(each, "address") for each in parts(status, "addresses")}
    return NodeRow(
        uid=text(metadata, "uid"),
        name=text(metadata, "name"),
        created_at=instant(metadata, "creationTimestamp"),
        status=("Ready" if is_ready else "NotReady") + (",SchedulingDisabled" if closed else ""),
        health="bad" if not is_ready else "busy" if closed else "ok",
        roles=sorted(key.removeprefix(ROLE) for key in labels if key.startswith(ROLE))[:LISTED],
        version=text(part(status, "nodeInfo"), "kubeletVersion"),
        ip=addresses.get("InternalIP") or None,
    )


def namespace_row(given: Object) -> NamespaceRow:
    """Give the row of a namespace."""
    metadata = part(given, "metadata")
    status = text(part(given, "status"), "phase") or "Unknown"
    return NamespaceRow(
        uid=text(metadata, "uid"),
        name=text(metadata, "name"),
        created_at=instant(metadata, "creationTimestamp"),
        status=status,
        health="ok" if status == "Active" else "busy",
    )


def service_row(given: Object) -> ServiceRow:
    """Give the row of a service."""
    metadata, spec = part(given, "metadata"), part(given, "spec")
    balancers = parts(part(given, "status", "loadBalancer"), "ingress")
    external = [*texts(spec, "externalIPs"), text(spec, "externalName")]
    external += [text(each, "ip") or text(each, "hostname") for each in balancers[:LISTED]]
    return ServiceRow(
        uid=text(metadata, "uid"),
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        created_at=instant(metadata, "creationTimestamp"),
        type=text(spec, "type") or "ClusterIP",
        cluster_ip=text(spec, "clusterIP") or None,
        ports=[_port(each) for each in parts(spec, "ports")[:LISTED]],
        external=[each for each in external if each],
    )


def _port(given: Object) -> str:
    on_node = number(given, "nodePort")
    inner = f"{number(given, 'port')}:{on_node}" if on_node else f"{number(given, 'port')}"
    return f"{inner}/{text(given, 'protocol') or 'TCP'}"


def event_row(given: Object) -> EventRow:
    """Give the row of an event, of the old form or the new one in `core/v1`."""
    metadata, about, series = (
        part(given, name) for name in ("metadata", "involvedObject", "series")
    )
    created_at = instant(metadata, "creationTimestamp")
    last_seen = (
        instant(series, "lastObservedTime")
        or instant(given, "lastTimestamp")
        or instant(given, "eventTime")
        or created_at
    )
    return EventRow(
        uid=text(metadata, "uid"),
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        created_at=created_at,
        type=text(given, "type") or "Normal",
        reason=text(given, "reason"),
        object=f"{text(about, 'kind')}/{text(about, 'name')}",
        message=text(given, "message", TEXT_CHARS),
        count=max(1, number(series, "count"), number(given, "count")),
        last_seen=last_seen,
    )
