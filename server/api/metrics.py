"""GET /metrics: what the server sees of itself, for Prometheus.

Nothing is counted beside the work that is done: each scrape asks, with a handful of queries.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.admin import PoolState
from pyk8s.wire.cluster import Phase
from server import __version__
from server.api.service import readiness_of
from server.api.state import State
from server.commands.pool import states
from server.errors import Unavailable
from server.store import census, forecasts

SHOWN: Final = [phase for phase in Phase if phase is not Phase.DELETED]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A name under which values go out: what they mean, and what tells them apart."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


INFO: Final = Gauge("pyk8s_info", "Always 1.", ("version", "driver"))
READY: Final = Gauge("pyk8s_ready", "1 when the server can do its work, as /readyz tells, or 0.")
CHECK: Final = Gauge("pyk8s_check_ok", "1 for a check of /readyz that is well, or 0.", ("check",))
STREAMS: Final = Gauge(
    "pyk8s_streams_open", "WebSockets, SSE and followed logs that are open in this process."
)
CLUSTERS: Final = Gauge("pyk8s_clusters", "Clusters of people that are not deleted.", ("phase",))
JOBS: Final = Gauge("pyk8s_jobs", "Work that waits (queued) or goes on.", ("kind", "state"))
WAIT: Final = Gauge(
    "pyk8s_oldest_wait_seconds", "How long the job has waited that is due for the longest time."
)
POOL: Final = Gauge(
    "pyk8s_pool_clusters",
    "Prebuilt clusters: how many there should be (target), and are (ready, building).",
    ("template", "state"),
)
CREATE: Final = Gauge(
    "pyk8s_create_seconds",
    "How long the last creates took, from their beginning to ready.",
    ("template", "driver", "quantile"),
)
GAUGES: Final = (INFO, READY, CHECK, STREAMS, CLUSTERS, JOBS, WAIT, POOL, CREATE)

Values = Mapping[tuple[str, ...], float]
"""By what the labels of a gauge are, in their order."""


class Seen(Collector):
    """What goes out at one scrape."""

    def __init__(self, values: Mapping[Gauge, Values]) -> None:
        self._values = values

    def collect(self) -> Iterable[Metric]:
        """Give the gauges that have values, in the order of `GAUGES`."""
        for gauge in GAUGES:
            if (values := self._values.get(gauge)) is not None:
                family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=gauge.labels)
                for labels, value in values.items():
                    family.add_metric(labels, value)
                yield family


async def metrics(request: Request[State]) -> Response:
    """Give what is to be watched, as Prometheus reads it. Without PostgreSQL it is less."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Seen(await _see(request.state)))
    return Response(
        generate_latest(registry),
        media_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )


async def _see(state: State) -> dict[Gauge, Values]:
    host, readiness = await readiness_of(state)
    seen: dict[Gauge, Values] = {
        INFO: {(__version__, host.driver if host is not None else "none"): 1},
        READY: {(): readiness.is_ready},
        CHECK: {(check.name,): check.ok for check in readiness.checks},
        STREAMS: {(): state["streams"].open_count},
    }
    if any(check.name == "postgresql" and not check.ok for check in readiness.checks):
        return seen  # to ask once more would take as long again
    try:
        return seen | dict([each async for each in _count(state)])
    except Unavailable:
        return seen


async def _count(state: State) -> AsyncIterator[tuple[Gauge, Values]]:
    async with state["database"].reading() as session:
        found = await census.take(session)
        expected = await forecasts.expected(session)
    yield CLUSTERS, {(phase.value,): found.clusters.get(phase.value, 0) for phase in SHOWN}
    yield JOBS, {(kind, state): count for (kind, state), count in found.jobs.items()}
    yield WAIT, {(): found.oldest_wait_seconds}
    yield (
        CREATE,
        {
            (template, driver, quantile): seconds
            for (template, driver), each in expected.items()
            for quantile, seconds in (("0.5", each.p50), ("0.95", each.p95))
        },
    )
    yield POOL, dict(_pool(await states(state["database"], state["settings"].pool_sizes)))


def _pool(found: Iterable[PoolState]) -> Iterator[tuple[tuple[str, str], float]]:
    for each in found:
        yield (each.template, "target"), each.size
        yield (each.template, "ready"), each.ready
        yield (each.template, "building"), each.building
