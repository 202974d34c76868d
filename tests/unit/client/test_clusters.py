import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyk8s import ClusterFailed, ClusterGone, Invalid, Lab, Phase, WaitTimeout
from tests.unit.client.scripted import (
    CLUSTER_ID,
    Act,
    Conversation,
    Pauses,
    cluster_document,
    event,
    phase,
    scripted,
)

FAILURE = {"code": "c", "title": "T", "cause": "No room.", "fix": "Make room.", "evidence": []}


class Api:
    """The REST side of a server with one cluster."""

    def __init__(self, **cluster: Any) -> None:
        self.cluster = cluster_document(**cluster)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path.endswith("/kubeconfig"):
            return httpx.Response(200, text="apiVersion: v1\n")
        return httpx.Response(200, json=self.cluster)


def lab(api: Any, pauses: Pauses, tmp_path: Path, url: str = "http://127.0.0.1:1") -> Lab:
    return Lab(
        url,
        "secret",
        backoff=pauses.backoff(),
        transport=httpx.MockTransport(api),
        environ={},
        config_path=tmp_path / "config.toml",
    )


async def test_a_create_sends_what_was_asked_and_a_key_of_its_own(
    pauses: Pauses, tmp_path: Path
) -> None:
    api = Api()
    async with lab(api, pauses, tmp_path) as subject:
        cluster = await subject.clusters.create("demo", workers=2, labels={"a": "b"})
        await subject.clusters.create(idempotency_key="mine")
        await subject.clusters.create()
    bodies = [json.loads(request.content) for request in api.requests]
    keys = [request.headers["Idempotency-Key"] for request in api.requests]
    assert bodies[0] == {"name": "demo", "workers": 2, "labels": {"a": "b"}}
    assert bodies[1] == {}
    assert keys[1] == "mine"
    assert len(set(keys)) == 3
    assert (cluster.name, cluster.phase, str(cluster.id)) == ("demo", "pending", CLUSTER_ID)


async def test_a_list_pages_through(pauses: Pauses, tmp_path: Path) -> None:
    asked: list[dict[str, str]] = []

    def api(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        more = "next" if len(asked) == 1 else None
        name = f"demo-{len(asked)}"
        return httpx.Response(
            200, json={"items": [cluster_document(name=name)], "next_cursor": more}
        )

    async with lab(api, pauses, tmp_path) as subject:
        found = await subject.clusters.list(phase="ready", labels={"a": "b"}, include_deleted=True)
    assert [cluster.name for cluster in found] == ["demo-1", "demo-2"]
    expected = {"limit": "100", "phase": "ready", "label": "a=b", "include_deleted": "true"}
    assert asked == [expected, {**expected, "cursor": "next"}]


async def test_a_name_cannot_leave_its_place_in_the_path(pauses: Pauses, tmp_path: Path) -> None:
    api = Api()
    async with lab(api, pauses, tmp_path) as subject:
        await subject.clusters.get("../auth/me?x")
    assert api.requests[0].url.raw_path == b"/api/v1/clusters/..%2Fauth%2Fme%3Fx"


async def test_a_wait_follows_the_events_from_the_snapshot_and_folds_them(
    pauses: Pauses, tmp_path: Path
) -> None:
    async def build(talk: Conversation) -> None:
        assert talk.subscription["after"] == 1
        await talk.events(phase(2, "pending", "provisioning"), event(3), event(4, "teleported"))
        await talk.events(phase(5, "provisioning", "ready"))
        await talk.socket.wait_closed()

    async with scripted([build]) as script, lab(Api(), pauses, tmp_path, script.url) as subject:
        cluster = await subject.clusters.get("demo")
        seen: list[str] = []
        await cluster.wait("ready", on_event=lambda event: seen.append(event.type))
    assert seen == ["phase_changed", "log_line", "phase_changed"]
    assert (cluster.phase, cluster.snapshot.last_seq) == (Phase.READY, 5)
    assert cluster.snapshot.ready_at is not None


async def test_a_wait_for_what_is_so_already_asks_nobody(pauses: Pauses, tmp_path: Path) -> None:
    async with lab(Api(phase="ready"), pauses, tmp_path) as subject:
        cluster = await subject.clusters.get("demo")
        assert (await cluster.wait_ready()).phase is Phase.READY


def fails() -> Act:
    async def act(talk: Conversation) -> None:
        await talk.events(event(2, "failure_explained", **FAILURE), phase(3, "pending", "failed"))
        await talk.socket.wait_closed()

    return act


async def test_a_failure_is_raised_with_its_explanation(pauses: Pauses, tmp_path: Path) -> None:
    async with scripted([fails()]) as script, lab(Api(), pauses, tmp_path, script.url) as subject:
        cluster = await subject.clusters.get("demo")
        with pytest.raises(ClusterFailed, match=r"No room\.") as caught:
            await cluster.wait_ready()
    assert caught.value.fix == "Make room."


async def test_a_deleted_cluster_will_not_be_ready(pauses: Pauses, tmp_path: Path) -> None:
    async with lab(Api(phase="deleting"), pauses, tmp_path) as subject:
        cluster = await subject.clusters.get("demo")
        with pytest.raises(ClusterGone):
            await cluster.wait_ready()


async def test_a_wait_for_deleted_ends_with_the_last_event(pauses: Pauses, tmp_path: Path) -> None:
    async def act(talk: Conversation) -> None:
        await talk.events(phase(2, "deleting", "deleted"))
        await talk.end(2)

    api = Api(phase="deleting")
    async with scripted([act]) as script, lab(api, pauses, tmp_path, script.url) as subject:
        cluster = await subject.clusters.get("demo")
        assert (await cluster.wait("deleted")).phase is Phase.DELETED


async def test_a_wait_that_takes_too_long_says_so_and_leaves_the_cluster_alone(
    pauses: Pauses, tmp_path: Path
) -> None:
    async def act(talk: Conversation) -> None:
        await talk.socket.wait_closed()

    api = Api()
    async with scripted([act]) as script, lab(api, pauses, tmp_path, script.url) as subject:
        cluster = await subject.clusters.get("demo")
        with pytest.raises(WaitTimeout, match="It goes on"):
            await cluster.wait_ready(timeout_seconds=0.3)
    assert [request.method for request in api.requests] == ["GET"]


async def test_stored_events_come_page_by_page(pauses: Pauses, tmp_path: Path) -> None:
    pages = [
        {"items": [event(3), event(4)], "next_after": 4, "end": False},
        {"items": [event(5)], "next_after": 5, "end": True},
    ]
    asked: list[str] = []

    def api(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/events"):
            return httpx.Response(200, json=cluster_document())
        asked.append(request.url.params["after"])
        return httpx.Response(200, json=pages.pop(0))

    async with lab(api, pauses, tmp_path) as subject:
        cluster = await subject.clusters.get("demo")
        assert [item.seq async for item in cluster.stored_events(2)] == [3, 4, 5]
    assert asked == ["2", "4"]


async def test_a_delete_of_what_is_already_gone_is_no_error(pauses: Pauses, tmp_path: Path) -> None:
    def api(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            return httpx.Response(204)
        return httpx.Response(200, json=cluster_document(phase="deleted"))

    async with lab(api, pauses, tmp_path) as subject:
        cluster = await subject.clusters.get(CLUSTER_ID)
        assert (await cluster.delete()).phase is Phase.DELETED


async def test_a_refused_field_is_named(pauses: Pauses, tmp_path: Path) -> None:
    body = {
        "type": "t",
        "title": "T",
        "status": 422,
        "detail": "D",
        "code": "validation",
        "errors": [{"field": "workers", "message": "at most 5"}],
    }

    def api(request: httpx.Request) -> httpx.Response:
        headers = {"content-type": "application/problem+json"}
        return httpx.Response(422, json=body, headers=headers)

    async with lab(api, pauses, tmp_path) as subject:
        with pytest.raises(Invalid) as caught:
            await subject.clusters.create(workers=99)
    assert caught.value.errors[0].field == "workers"


async def test_a_lifetime_is_changed_by_what_is_posted(pauses: Pauses, tmp_path: Path) -> None:
    api = Api()
    async with lab(api, pauses, tmp_path) as subject:
        cluster = await subject.clusters.get("demo")
        await cluster.extend(1800)
        await cluster.cancel()
        await cluster.retry()
    asked = [(each.method, each.url.path.rpartition("/")[2]) for each in api.requests[1:]]
    assert asked == [("POST", "extend"), ("POST", "cancel"), ("POST", "retry")]
    assert json.loads(api.requests[1].content) == {"seconds": 1800}
