"""The main job over REST and the WebSocket, with the simulated driver through the real path."""

import asyncio
import json

import httpx
from websockets.asyncio.client import ClientConnection

from tests.integration.conftest import Caller


async def frames_until(socket: ClientConnection, topic: str, phase: str) -> list[dict[str, object]]:
    frames: list[dict[str, object]] = []
    async with asyncio.timeout(30):
        async for message in socket:
            frame = json.loads(message)
            frames.append(frame)
            if frame["type"] == "events" and frame["topic"] == topic:
                for event in frame["events"]:
                    if event["type"] == "phase_changed" and event["data"]["to"] == phase:
                        return frames
    raise AssertionError(f"no {phase}")


async def test_create_watch_use_delete(ann: Caller) -> None:
    cluster = await ann.create(name="demo")
    assert (cluster["phase"], cluster["driver"]) == ("pending", "simulated")
    topic = f"cluster:{cluster['id']}"
    async with ann.stream() as socket:
        await socket.send(json.dumps({"type": "subscribe", "topic": topic, "after": 0}))
        frames = await frames_until(socket, topic, "ready")
        events = [e for frame in frames for e in frame.get("events", [])]  # type: ignore[attr-defined]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        steps = [e["data"]["step"] for e in events if e["type"] == "step_started"]
        assert steps == [
            "node_image",
            "nodes",
            "configuration",
            "control_plane",
            "storage",
            "node_ready",
            "access",
        ]
        ready = await ann.until("demo", "ready")
        assert ready["expires_at"] > ready["ready_at"]
        assert ready["conditions"][0]["type"] == "Ready"
        assert ready["conditions"][0]["status"] == "True"

        answer = await ann.http.get("/api/v1/clusters/demo/kubeconfig?endpoint=direct")
        assert answer.headers["cache-control"] == "no-store, no-transform"
        assert "current-context: pyk8s-demo" in answer.text

        assert (await ann.http.delete("/api/v1/clusters/demo")).status_code == 202
        await frames_until(socket, topic, "deleted")
        async with asyncio.timeout(5):
            while json.loads(await socket.recv())["type"] != "end":
                pass
    assert (await ann.http.get("/api/v1/clusters/demo")).status_code == 404
    gone = await ann.http.get(f"/api/v1/clusters/{cluster['id']}")
    assert gone.json()["phase"] == "deleted"
    assert (await ann.http.delete(f"/api/v1/clusters/{cluster['id']}")).status_code == 204


async def test_a_failure_explains_itself(ann: Caller) -> None:
    for scenario in ("fail-start", "fail-late"):
        cluster = await ann.create(labels={"simulate": scenario})
        failed = await ann.until(cluster["id"], "failed")
        failure = failed["failure"]
        assert failure["cause"]
        assert failure["fix"]
        assert failure["evidence"]
        page = (await ann.http.get(f"/api/v1/clusters/{cluster['id']}/events?limit=5000")).json()
        lines = {e["seq"]: e["data"]["text"] for e in page["items"] if e["type"] == "log_line"}
        for quoted in failure["evidence"]:
            assert lines[quoted["seq"]] == quoted["text"]
        assert (await ann.http.delete(f"/api/v1/clusters/{cluster['id']}")).status_code == 202
        await ann.until(cluster["id"], "deleted")


async def test_delete_in_the_middle(ann: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "hang"})
    await ann.until(cluster["id"], "provisioning")
    assert (await ann.http.delete(f"/api/v1/clusters/{cluster['id']}")).status_code == 202
    await ann.until(cluster["id"], "deleted")


async def test_the_same_cursor_everywhere(ann: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "flood:500:0"})
    await ann.until(cluster["id"], "ready")
    url = f"/api/v1/clusters/{cluster['id']}/events"
    everything = (await ann.http.get(url, params={"limit": 5000})).json()
    seqs = [event["seq"] for event in everything["items"]]
    assert seqs == list(range(1, seqs[-1] + 1))
    assert everything["next_after"] == seqs[-1]
    assert not everything["end"]
    middle = seqs[len(seqs) // 2]
    rest = (await ann.http.get(url, params={"after": middle, "limit": 5000})).json()["items"]
    assert rest == everything["items"][middle:]

    await ann.http.delete(f"/api/v1/clusters/{cluster['id']}")
    by_sse = await _sse(ann.http, url, middle)
    ids = [int(event["id"]) for event in by_sse if event["event"] != "end"]
    assert ids[: len(rest)] == [event["seq"] for event in rest]
    assert json.loads(by_sse[0]["data"]) == rest[0]
    assert by_sse[-1]["event"] == "end"

    topic = f"cluster:{cluster['id']}"
    async with ann.stream() as socket, asyncio.timeout(20):
        await socket.send(json.dumps({"type": "subscribe", "topic": topic, "after": middle}))
        over_socket: list[int] = []
        while True:
            frame = json.loads(await socket.recv())
            over_socket += [event["seq"] for event in frame.get("events", [])]
            if frame["type"] == "end":
                break
    assert over_socket == ids

    text = (await ann.http.get(f"/api/v1/clusters/{cluster['id']}/log")).text
    assert text.count("#") >= 500


async def _sse(http: httpx.AsyncClient, url: str, after: int) -> list[dict[str, str]]:
    events: list[dict[str, str]] = []
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    async with asyncio.timeout(30), http.stream("GET", url, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        current: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line.startswith(":") or line.startswith("retry"):
                continue
            if not line:
                if "data" in current:  # else it only moves the id
                    events.append(current)
                current = {}
                continue
            key, _, value = line.partition(": ")
            current[key] = value
    return events


async def test_the_explanation_fits_the_step_that_failed(ann: Caller) -> None:
    """Lines of steps that went well explain nothing."""
    cluster = await ann.create(labels={"simulate": "fail-late"})
    failed = await ann.until(cluster["id"], "failed")
    assert failed["progress"]["step"] == "storage"
    assert failed["failure"]["code"] != "control_plane_down"
    quoted = [line["text"] for line in failed["failure"]["evidence"]]
    assert any("ERROR: failed to create cluster" in text for text in quoted)
