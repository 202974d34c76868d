"""Rows of real objects say what kubectl prints for them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pyk8s.wire.resources import EventRow, PodRow, ResourceRow, Row, WorkloadRow
from server.resources.kinds import KINDS, Watched
from server.resources.pods import pod_row
from server.resources.rows import event_row, node_row, service_row
from server.resources.workloads import deployment_row, job_row

GOLDEN = Path(__file__).parents[2] / "golden" / "resources"
READ: TypeAdapter[Any] = TypeAdapter(ResourceRow)


def objects(plural: str) -> list[dict[str, Any]]:
    """Give objects with what the API server prints for them."""
    found: list[dict[str, Any]] = json.loads((GOLDEN / f"{plural}.json").read_text())
    return found


def plural_of(what: Watched) -> str:
    return what.path.rpartition("/")[2]


@pytest.mark.parametrize("what", KINDS, ids=plural_of)
def test_every_real_object_becomes_a_row_of_the_wire(what: Watched) -> None:
    found = objects(plural_of(what))
    assert found
    for each in found:
        row = what.row(each["object"])
        assert READ.validate_json(row.model_dump_json()) == row
        assert row.name == each["object"]["metadata"]["name"]
        assert row.created_at is not None
        assert len(row.model_dump_json()) < 2500


def test_pods_have_the_status_that_kubectl_prints() -> None:
    seen = set()
    for each in objects("pods"):
        row, printed = pod_row(each["object"]), each["printed"]
        assert (row.status, f"{row.ready}/{row.total}") == (printed["Status"], printed["Ready"])
        count, _, ago = str(printed["Restarts"]).partition(" (")
        assert (row.restarts, row.restarted_at is not None) == (int(count), bool(ago))
        seen.add(row.status)
    wanted = {"Running", "Completed", "Error", "CrashLoopBackOff", "ImagePullBackOff", "Pending"}
    assert wanted | {"Init:1/2", "Init:Error", "SchedulingGated", "Terminating"} <= seen


def test_other_kinds_say_what_kubectl_prints() -> None:
    for each in objects("nodes"):
        node = node_row(each["object"])
        assert node.status == each["printed"]["Status"]
        assert ",".join(node.roles) == each["printed"]["Roles"]
        assert (node.version, node.ip) == (
            each["printed"]["Version"],
            each["printed"]["Internal-IP"],
        )
    for each in objects("services"):
        service, printed = service_row(each["object"]), each["printed"]
        assert (service.type, service.cluster_ip) == (printed["Type"], printed["Cluster-IP"])
        assert ",".join(service.ports) == printed["Port(s)"]
    for each in objects("events"):
        event, printed = event_row(each["object"]), each["printed"]
        assert (event.type, event.reason) == (printed["Type"], printed["Reason"])
        assert event.object.lower() == printed["Object"].lower()
        assert event.message.strip() == printed["Message"]
        assert event.count == printed["Count"]
    for plural in ("deployments", "statefulsets"):
        rows = {what.path: what.row for what in KINDS}[f"/apis/apps/v1/{plural}"]
        for each in objects(plural):
            row = rows(each["object"])
            assert isinstance(row, WorkloadRow)
            assert f"{row.ready}/{row.desired}" == each["printed"]["Ready"]
    for each in objects("jobs"):
        job = job_row(each["object"])
        assert job.status == each["printed"]["Status"]
        assert f"{job.ready}/{job.desired}" == each["printed"]["Completions"]


def health_of(name: str) -> str:
    found = (each["object"] for each in objects("pods"))
    return next(row.health for row in map(pod_row, found) if row.name.startswith(name))


@pytest.mark.parametrize(
    ("name", "health"),
    [
        ("web", "ok"),
        ("with-sidecar", "ok"),
        ("migrate", "done"),
        ("waits-for-init", "busy"),
        ("will-not-go", "busy"),
        ("gated", "busy"),
        ("crashing", "bad"),
        ("bad-image", "bad"),
        ("init-fails", "bad"),
        ("killed", "bad"),
        ("too-big", "bad"),
    ],
)
def test_what_somebody_should_look_at_is_told_from_what_takes_its_time(
    name: str, health: str
) -> None:
    assert health_of(name) == health


def test_a_pod_says_why_and_shows_its_containers() -> None:
    rows = {row.name: row for row in (pod_row(each["object"]) for each in objects("pods"))}
    crashing = next(row for name, row in rows.items() if name.startswith("crashing"))
    assert crashing.owner == "ReplicaSet/" + crashing.name.rpartition("-")[0]
    assert [(each.name, each.ready) for each in crashing.containers] == [
        ("main", False),
        ("side", True),
    ]
    assert crashing.containers[0].restarts == crashing.restarts > 0
    assert "Insufficient memory" in (rows["too-big"].message or "")
    states = {each.name: (each.state, each.is_init) for each in rows["waits-for-init"].containers}
    assert states == {
        "first": ("Completed", True),
        "second": ("Running", True),
        "main": ("PodInitializing", False),
    }


def container(**state: object) -> dict[str, Any]:
    return {"name": "main", "restartCount": 1, "ready": False, "state": state}


@pytest.mark.parametrize(
    ("status", "printed"),
    [
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"containerStatuses": [container(terminated={"exitCode": 2})]}, "ExitCode:2"),
        ({"containerStatuses": [container(terminated={"signal": 9})]}, "Signal:9"),
        ({"containerStatuses": [container(terminated={"reason": "OOMKilled"})]}, "OOMKilled"),
        (
            {"initContainerStatuses": [container(terminated={"exitCode": 134, "signal": 6})]},
            "Init:Signal:6",
        ),
        (
            {"initContainerStatuses": [container(waiting={"reason": "CrashLoopBackOff"})]},
            "Init:CrashLoopBackOff",
        ),
    ],
)
def test_rarer_ends_are_told_as_kubectl_tells_them(status: dict[str, Any], printed: str) -> None:
    assert pod_row({"status": {"phase": "Running"} | status}).status == printed


def test_a_pod_of_a_lost_node_is_unknown() -> None:
    metadata = {"deletionTimestamp": "2026-01-02T03:04:05Z"}
    assert pod_row({"metadata": metadata, "status": {"reason": "NodeLost"}}).status == "Unknown"


def test_an_event_of_the_new_form_is_read_too() -> None:
    row = event_row(
        {
            "metadata": {"uid": "u"},
            "eventTime": "2026-01-02T03:04:05.123456Z",
            "series": {"count": 7, "lastObservedTime": "2026-01-02T04:00:00.000001Z"},
            "involvedObject": {"kind": "Pod", "name": "p"},
        }
    )
    assert (row.count, row.type, row.object) == (7, "Normal", "Pod/p")
    assert row.last_seen is not None
    assert row.last_seen.hour == 4


def test_a_deployment_that_gives_up_is_told_from_one_that_waits() -> None:
    status = {"conditions": [{"type": "Progressing", "status": "False"}]}
    assert deployment_row({"status": status}).health == "bad"
    assert deployment_row({"status": {}}).health == "busy"
    assert deployment_row({"spec": {"replicas": 0}, "status": {}}).status == "Scaled to zero"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def spoiled(document: Any, draw: st.DrawFn) -> Any:
    """Replace something somewhere in a document by anything."""
    if not isinstance(document, dict | list) or not document or draw(st.integers(0, 4)) == 0:
        return draw(ANYTHING)
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key = draw(st.sampled_from(keys))
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[key] = spoiled(document[key], draw)
    return copy


@st.composite
def spoiled_objects(draw: st.DrawFn) -> tuple[Watched, Any]:
    what = draw(st.sampled_from(KINDS))
    found = draw(st.sampled_from(objects(plural_of(what))))["object"]
    for _ in range(draw(st.integers(1, 3))):
        found = spoiled(found, draw)
    return what, found if isinstance(found, dict) else {}


@given(spoiled_objects())
def test_no_object_breaks_its_row(spoiled: tuple[Watched, Any]) -> None:
    what, found = spoiled
    row: Row = what.row(found)
    assert READ.validate_json(row.model_dump_json()) == row


def test_what_is_endless_is_cut() -> None:
    many = [{"name": "x" * 9999, "image": "y" * 9999}] * 999
    pod: PodRow = pod_row({"spec": {"containers": many}, "status": {"message": "z" * 9999}})
    assert len(pod.model_dump_json()) < 30_000
    event: EventRow = event_row({"message": "z" * 9999})
    assert len(event.message) == 1024
