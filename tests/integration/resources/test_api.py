"""What is inside a cluster, over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest

from pyk8s import Lab
from pyk8s.wire.resources import Resources, ResourcesChange
from tests.integration.conftest import Caller, LabServer
from tests.integration.resources.fake_kube import PODS, FakeKube, pod

SSE = {"Accept": "text/event-stream"}
LOG = "/pods/default/web/log"


class Sse:
    """The events of a stream, one after the other."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        """Give the next event but beats."""
        name = ""
        async with asyncio.timeout(30):
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: ") and name != "beat":
                    return name, json.loads(line.removeprefix("data: "))
        return "", None

    async def until(self, name: str) -> Any:
        """Give the next event of a name."""
        while True:
            found, data = await self.next()
            assert found, "the stream has ended"
            if found == name:
                return data


@asynccontextmanager
async def looking(caller: Caller, path: str) -> AsyncIterator[Sse]:
    async with caller.http.stream("GET", path + "/resources", headers=SSE, timeout=30) as answer:
        assert answer.status_code == 200, await answer.aread()
        yield Sse(answer)


async def problem(caller: Caller, path: str) -> tuple[int, str]:
    answer = await caller.http.get(path, timeout=30)
    return answer.status_code, answer.json()["code"]


async def test_a_snapshot_and_then_what_changes(ann: Caller, inside: str, kube: FakeKube) -> None:
    kube.put(PODS, pod("web", "Pending"))
    answer = await ann.http.get(inside + "/resources")
    assert answer.status_code == 200, answer.text
    listed = Resources.model_validate_json(answer.content)
    async with Lab(ann.base_url, ann.token, environ={}) as lab:
        cluster = await lab.clusters.get("demo")
        assert (await cluster.resources()).items == listed.items
        assert await cluster.pod_log("default", "web", previous=True) == "one\ntwo\n"
    assert [(row.kind, row.name) for row in listed.items] == [("Pod", "web")]
    async with looking(ann, inside) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        snapshot = Resources.model_validate(await stream.until("snapshot"))
        assert snapshot.items == listed.items
        kube.put(PODS, pod("web", "Running"))
        change = ResourcesChange.model_validate(await stream.until("change"))
        assert [row.model_dump()["status"] for row in change.put] == ["Running"]
        kube.delete(PODS, "uid-web")
        assert (await stream.until("change"))["remove"] == ["uid-web"]
    for number in range(500):  # more than is sent in one piece
        kube.put(PODS, pod(f"p{number}"))
    async with looking(ann, inside) as stream:
        listed_now = (await stream.until("snapshot"))["items"]
        while len(listed_now) < 500:
            listed_now += (await stream.until("change"))["put"]


async def test_a_cluster_that_is_away_is_told_and_comes_back(
    ann: Caller, inside: str, kube: FakeKube
) -> None:
    async with looking(ann, inside) as stream:
        await stream.until("snapshot")
        kube.failing = 500
        kube.cut()
        away = await stream.until("unavailable")
        assert away["code"] == "cluster_away"
        assert "500 etcd is gone" in away["detail"]
        assert await problem(ann, inside + "/resources") == (503, "cluster_away")
        kube.failing = 0
        await stream.until("snapshot")


async def test_a_deleted_cluster_ends_the_stream(ann: Caller, inside: str, kube: FakeKube) -> None:
    async with looking(ann, inside) as stream:
        await stream.until("snapshot")
        await ann.http.delete(inside)
        kube.failing = 503
        kube.cut()
        assert "at" in await stream.until("end")
        assert await stream.next() == ("", None)
    await ann.until(inside.rpartition("/")[2], "deleted")
    assert await problem(ann, inside + "/resources") == (409, "not_ready")


async def test_only_its_owner_sees_inside_and_only_with_the_scope(
    ann: Caller, bob: Caller, inside: str, lab_server: LabServer
) -> None:
    nobodys = f"/api/v1/clusters/{UUID(int=7)}"
    for path in ("/resources", LOG):
        theirs, nothing = [await bob.http.get(each + path) for each in (inside, nobodys)]
        assert theirs.status_code == nothing.status_code == 404
        own_id = inside.rpartition("/")[2]
        assert theirs.text.replace(own_id, "") == nothing.text.replace(str(UUID(int=7)), "")
    wish = {"name": "less", "scopes": ["clusters:read", "clusters:write"]}
    token = (await ann.http.post("/api/v1/tokens", json=wish)).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=lab_server.base_url, trust_env=False) as nobody:
        for path in ("/resources", LOG):
            assert (await ann.http.get(inside + path, headers=header)).status_code == 403
            assert (await nobody.get(inside + path)).status_code == 401


async def test_what_cannot_be_looked_into_says_why(ann: Caller) -> None:
    cluster = await ann.create(name="plain")
    path = f"/api/v1/clusters/{cluster['id']}"
    assert await problem(ann, path + "/resources") == (409, "not_ready")
    await ann.until(cluster["id"], "ready")
    assert await problem(ann, path + "/resources") == (409, "simulated")
    assert await problem(ann, path + LOG) == (409, "simulated")


async def test_a_revoked_token_ends_the_stream_and_the_followed_log(
    ann: Caller, inside: str, kube: FakeKube
) -> None:
    made = (await ann.http.post("/api/v1/tokens", json={"name": "x", "scopes": ["access"]})).json()
    header = {"Authorization": f"Bearer {made['token']}"}
    async with httpx.AsyncClient(base_url=ann.base_url, trust_env=False, headers=header) as http:
        other = Caller(http, made["token"], ann.base_url)
        async with (
            looking(other, inside) as stream,
            http.stream("GET", inside + LOG + "?follow=1", timeout=30) as log,
        ):
            await stream.until("snapshot")
            await ann.http.delete(f"/api/v1/tokens/{made['id']}")
            async with asyncio.timeout(10):
                assert await stream.next() == ("", None)
                with pytest.raises(httpx.RemoteProtocolError):  # more could have come
                    await log.aread()


async def test_a_log_comes_as_it_is_written(ann: Caller, inside: str, kube: FakeKube) -> None:
    path = inside + LOG + "?follow=1&container=main&tail_lines=5"
    async with ann.http.stream("GET", path, timeout=30) as log:
        assert log.headers["content-type"] == "text/plain; charset=utf-8"
        text = log.aiter_text()
        kube.log.put_nowait("größe\n".encode()[:3])  # in the middle of a character
        kube.log.put_nowait("größe\n".encode()[3:])
        read = ""
        async with asyncio.timeout(20):
            while not read.endswith("\n"):
                read += await anext(text)
            assert read == "größe\n"
            kube.log.put_nowait(b"\xff\n")
            assert await anext(text) == "\ufffd\n"
            kube.log.put_nowait(None)
            assert [piece async for piece in text] == []
    assert kube.log_queries == [{"tailLines": "5", "container": "main", "follow": "true"}]
    # One that is not followed is bounded.
    assert (await ann.http.get(inside + LOG + "?previous=1")).text == "one\ntwo\n"
    bounded = {"tailLines": "1000", "previous": "true", "limitBytes": str(8 * 1024 * 1024)}
    assert kube.log_queries[1:] == [bounded]


REFUSED = {
    "/pods/default/missing/log": (404, "not_found"),
    LOG + "?container=late": (409, "log_unavailable"),
    "/pods/default/..%2f..%2fsecrets/log": (404, "not_found"),
    "/pods/default/Upper/log": (422, "validation"),
    "/pods/kube%20system/web/log": (422, "validation"),
    "/pods/default/web%0a/log": (422, "validation"),
    "/pods/default/web%3ffollow=true/log": (422, "validation"),
    f"/pods/default/{'x' * 254}/log": (422, "validation"),
    LOG + "?container=UP": (422, "validation"),
    LOG + "?tail_lines=10001": (422, "validation"),
    LOG + "?container=a&container=b": (422, "validation"),
}


async def test_what_is_asked_for_wrongly_never_reaches_the_cluster(
    ann: Caller, inside: str, kube: FakeKube
) -> None:
    for path, expected in REFUSED.items():
        assert await problem(ann, inside + path) == expected, path
    reached = {path for _, path in kube.asked if path.startswith("/api/v1/namespaces/")}
    assert reached == {f"/api/v1/namespaces/default/pods/{name}/log" for name in ("missing", "web")}
    assert kube.asked["get", "/api/v1/namespaces/default/pods/web/log"] == 1
    kube.failing = 500
    answer = await ann.http.get(inside + LOG)
    assert (answer.status_code, answer.json()["code"]) == (503, "cluster_away")
    assert "etcd is gone" in answer.json()["detail"]


async def test_a_refused_reader_leaves_no_log_open(
    ann: Caller, inside: str, kube: FakeKube, monkeypatch: pytest.MonkeyPatch, lab_server: LabServer
) -> None:
    monkeypatch.setattr(lab_server.state["streams"], "_per_user", 0)
    assert await problem(ann, inside + LOG + "?follow=1") == (429, "too_many_sockets")
    head = await ann.http.head(inside + LOG + "?follow=1")
    assert (head.status_code, head.text) == (200, "")
    async with asyncio.timeout(20):
        while kube.logs:
            await asyncio.sleep(0.01)
