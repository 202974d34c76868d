"""What Prometheus reads."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from server.api.metrics import GAUGES
from tests.integration.conftest import Caller, LabServer

Read = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scraped(http: httpx.AsyncClient) -> Read:
    """Read all of it as Prometheus would, without signing in."""
    answer = await http.get("/metrics", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert answer.headers["cache-control"] == "no-store"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(read: Read, name: str, **labels: str) -> float | None:
    return read.get((name, tuple(sorted(labels.items()))))


async def test_what_there_is_is_counted(ann: Caller, lab_server: LabServer) -> None:
    await ann.create(name="one")
    await ann.until("one", "ready")
    await ann.create(name="two", labels={"simulate": "hang"})
    await ann.until("two", "provisioning")
    async with ann.stream():
        read = await scraped(ann.http)
        assert of(read, "pyk8s_streams_open") == 1
    assert of(read, "pyk8s_clusters", phase="ready") == 1
    assert of(read, "pyk8s_clusters", phase="provisioning") == 1
    assert of(read, "pyk8s_clusters", phase="paused") == 0
    assert of(read, "pyk8s_clusters", phase="deleted") is None
    assert of(read, "pyk8s_jobs", kind="create", state="running") == 1
    assert of(read, "pyk8s_oldest_wait_seconds") == 0
    assert of(read, "pyk8s_pool_clusters", template="default", state="target") == 0
    seconds = of(
        read, "pyk8s_create_seconds", template="default", driver="simulated", quantile="0.5"
    )
    assert seconds
    assert seconds > 0
    assert of(read, "pyk8s_ready") == 1
    assert of(read, "pyk8s_check_ok", check="postgresql") == 1
    assert (of(read, "process_open_fds") or 0) > 0
    names = {name for name, _ in read if name.startswith("pyk8s_")}
    assert names == {gauge.name for gauge in GAUGES}
