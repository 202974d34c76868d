"""GET /metrics: what the server sees of itself, for Prometheus.

Nothing is counted beside the work that is done: a scrape asks, with a handful of queries, at most
once a second for all who scrape.
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
from server.api.auth import authenticate
from server.api.readiness import is_from_here
from server.api.shared import Shared
from server.api.state import Readiness, State
from server.api.streams import Streams
from server.commands.pool import states
from server.config import Settings
from server.errors import Unavailable
from server.store import census, forecasts
from server.store.database import Database

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
    await _let_in(request)
    return Response(
        await request.state["metrics"].get(),
        media_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )


async def _let_in(request: Request[State]) -> None:
    """Require a sign-in where the operator wants one; without one nobody is refused."""
    if request.state["settings"].metrics_access == "signed-in" and not is_from_here(request):
        await authenticate(request)


async def exposition(
    settings: Settings, database: Database, streams: Streams, readiness: Shared[Readiness]
) -> bytes:
    """Write all of it in Prometheus's format."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Seen(await _see(settings, database, streams, await readiness.get())))
    return generate_latest(registry)


async def _see(
    settings: Settings, database: Database, streams: Streams, readiness: Readiness
) -> dict[Gauge, Values]:
    seen: dict[Gauge, Values] = {
        INFO: {(__version__, readiness.driver): 1},
        READY: {(): readiness.is_ready},
        CHECK: {(check.name,): check.ok for check in readiness.checks},
        STREAMS: {(): streams.open_count},
    }
    if any(check.name == "postgresql" and not check.ok for check in readiness.checks):
        return seen  # to ask once more would take as long again
    try:
        return seen | dict([each async for each in _count(settings, database)])
    except Unavailable:
        return seen


async def _count(settings: Settings, database: Database) -> AsyncIterator[tuple[Gauge, Values]]:
    async with database.reading() as session:
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
    yield POOL, dict(_pool(await states(database, settings.pool_sizes)))


def _pool(found: Iterable[PoolState]) -> Iterator[tuple[tuple[str, str], float]]:
    for each in found:
        yield (each.template, "target"), each.size
        yield (each.template, "ready"), each.ready
        yield (each.template, "building"), each.building
