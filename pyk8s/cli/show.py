"""Clusters, as people read them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.text import Text

from pyk8s.cli.session import Session
from pyk8s.cli.table import Cell, Column, Table
from pyk8s.cli.words import plain, short, spoken, until
from pyk8s.wire.cluster import Cluster, Failure, Phase, Step

SIMULATED = "simulated"
QUOTED_LINES = 3
WITHOUT_EVIDENCE = frozenset({"cancelled", "runner_lost", "internal"})
"""After these there was nothing to collect from."""

PHASE_STYLE = {
    Phase.PENDING: "bright_black",
    Phase.PROVISIONING: "blue",
    Phase.READY: "green",
    Phase.PAUSED: "magenta",
    Phase.FAILED: "red",
    Phase.DELETING: "yellow",
    Phase.DELETED: "bright_black",
}
STEP_TITLE = {
    Step.NODE_IMAGE: "Node image",
    Step.NODES: "Nodes",
    Step.LOAD_BALANCER: "Load balancer",
    Step.CONFIGURATION: "Configuration",
    Step.CONTROL_PLANE: "Control plane",
    Step.NETWORK: "Network",
    Step.STORAGE: "Storage",
    Step.MORE_CONTROL_PLANES: "More control planes",
    Step.WORKERS: "Workers",
    Step.NODE_READY: "Nodes ready",
    Step.ACCESS: "Access",
}

COLUMNS = [
    Column("NAME"),
    Column("PHASE"),
    Column("DRIVER", 1),
    Column("TEMPLATE", 3),
    Column("VERSION", 5),
    Column("NODES", 4),
    Column("AGE", 2),
    Column("LEFT"),
]


def cluster_table(clusters: Sequence[Cluster], now: datetime | None = None) -> Table:
    """Tell of many clusters, a line each."""
    at = now or datetime.now(UTC)
    return Table(COLUMNS, [_row(cluster, at) for cluster in clusters])


def _row(cluster: Cluster, now: datetime) -> list[Cell]:
    phase = cluster.phase.value
    if cluster.phase is Phase.PROVISIONING and cluster.progress:
        phase = f"{phase} {cluster.progress.percent}%"
    if cluster.phase is Phase.PENDING and cluster.queue:
        phase = f"{phase} {cluster.queue.position}/{cluster.queue.size}"
    left = (
        short(until(cluster.expires_at, now)) if cluster.expires_at and _is_alive(cluster) else ""
    )
    return [
        Cell(plain(cluster.name)),
        Cell(phase, PHASE_STYLE[cluster.phase]),
        Cell(plain(cluster.driver), "reverse" if cluster.driver == SIMULATED else ""),
        Cell(plain(cluster.template)),
        Cell(plain(cluster.kubernetes_version)),
        Cell(str(cluster.control_planes + cluster.workers)),
        Cell(short(-until(cluster.created_at, now))),
        Cell(left),
    ]


def show_cluster(session: Session, cluster: Cluster, now: datetime | None = None) -> None:
    """Tell all about one cluster."""
    at = now or datetime.now(UTC)
    title = Text(plain(cluster.name), style="bold")
    title.append("  ").append(cluster.phase.value, style=f"not bold {PHASE_STYLE[cluster.phase]}")
    if cluster.driver == SIMULATED:
        title.append("  ").append(" simulated ", style="not bold reverse")
        title.append("  nothing real is behind it", style="not bold dim")
    session.out.print(title)
    facts = _facts(cluster, at) + [
        ("condition", f"{c.type}={c.status} {c.reason}: {c.message}") for c in cluster.conditions
    ]
    for key, value in facts:
        session.tell_pair(f"  {key:<12}", value, is_data=True)
    if cluster.failure:
        session.out.print()
        show_failure(session, cluster.name, cluster.failure, is_data=True)


def _facts(cluster: Cluster, now: datetime) -> list[tuple[str, str]]:
    workers = f", {cluster.workers} workers" if cluster.workers else ""
    facts = [
        ("id", str(cluster.id)),
        ("template", f"{cluster.template}, Kubernetes {cluster.kubernetes_version}"),
        ("nodes", f"{cluster.control_planes} control plane{workers}"),
        ("driver", cluster.driver),
        ("created", f"{spoken(-until(cluster.created_at, now))} ago by {cluster.owner}"),
    ]
    if cluster.labels:
        facts.append(("labels", ", ".join(f"{k}={v}" for k, v in sorted(cluster.labels.items()))))
    if cluster.progress and cluster.phase is Phase.PROVISIONING:
        progress = cluster.progress
        title = STEP_TITLE.get(progress.step, progress.step)
        facts.append(("step", f"{title}, {progress.index} of {progress.total}"))
    if cluster.queue:
        queue = cluster.queue
        facts.append(("queue", f"{queue.position} of {queue.size}: {queue.reason}"))
    if cluster.ready_at:
        facts.append(("ready", f"after {build_seconds(cluster):.1f} s"))
    if cluster.deleted_at:
        facts.append(("deleted", f"{spoken(-until(cluster.deleted_at, now))} ago"))
    elif cluster.expires_at and _is_alive(cluster):
        facts.append(("deleted in", spoken(until(cluster.expires_at, now))))
    return facts


def build_seconds(cluster: Cluster) -> float:
    """Give the seconds from the wish to `ready`, by the server's clock; 0 while it is not."""
    if cluster.ready_at is None:
        return 0.0
    return (cluster.ready_at - cluster.created_at).total_seconds()


def show_failure(session: Session, name: str, failure: Failure, *, is_data: bool = False) -> None:
    """Explain a failure: cause, fix, three lines that say so, and where the rest is."""
    title = Text("✗ ", "red").append(
        f"{plain(name)} failed: {plain(failure.title)}", "bold default"
    )
    session.tell(title, is_data=is_data)
    session.tell_pair("  cause  ", failure.cause, is_data=is_data)
    session.tell_pair("  fix    ", failure.fix, is_data=is_data)
    for quoted in failure.evidence[-QUOTED_LINES:]:
        session.tell_pair(f"  {quoted.seq:>5}  ", quoted.text, is_data=is_data)
    session.tell_pair("  The whole log: ", f"pyk8s logs {plain(name)}", is_data=is_data)
    if failure.code not in WITHOUT_EVIDENCE:
        session.tell_pair("  The evidence:  ", f"pyk8s evidence {plain(name)}", is_data=is_data)


def _is_alive(cluster: Cluster) -> bool:
    return cluster.phase not in {Phase.DELETING, Phase.DELETED, Phase.FAILED}
