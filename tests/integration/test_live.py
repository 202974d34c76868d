"""Who has all events of a cluster costs no task; who then falls behind loses nothing."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from pyk8s.wire.facts import LogLine
from server.fanout.feed import ClusterFeed
from server.store import event_log
from server.store.event_log import Draft
from tests.integration.conftest import Caller, LabServer
from tests.integration.test_stream import frame

LINES = 1000
LONG = "x" * 2000


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.02)


async def no_more_tasks_than(count: int) -> None:
    await until(lambda: len(asyncio.all_tasks()) <= count)


async def live(caller: Caller, lab_server: LabServer, socket: Any, topic: str) -> ClusterFeed:
    """Subscribe, and wait until there is nothing more."""
    await socket.send(json.dumps({"type": "subscribe", "topic": topic}))
    while (await frame(socket))["type"] != "bookmark":
        pass
    feeds = lab_server.state["hub"]._feeds
    await until(lambda: any(feed._listeners for feed, _ in feeds.values()))
    return next(feed for feed, _ in feeds.values() if feed._listeners)


async def read_on(socket: Any, cursor: int, last: int) -> None:
    """Read every event after `cursor`, each once, up to `last`."""
    while cursor < last:
        told = await frame(socket)
        for event in told.get("events", ()):
            cursor += 1
            assert event["seq"] == cursor


async def test_a_live_subscription_has_no_task_and_leaves_nothing(
    ann: Caller, lab_server: LabServer
) -> None:
    cluster = await ann.create(name="demo")
    await ann.until("demo", "ready")
    topic, hub = f"cluster:{cluster['id']}", lab_server.state["hub"]
    async with ann.stream() as socket:
        before = len(asyncio.all_tasks())
        await live(ann, lab_server, socket, topic)
        await no_more_tasks_than(before)
        await socket.send(json.dumps({"type": "unsubscribe", "topic": topic}))
        await until(lambda: not hub._feeds)
        await live(ann, lab_server, socket, topic)
    await until(lambda: not hub._feeds)
    async with ann.stream() as socket:
        await live(ann, lab_server, socket, topic)
        await ann.http.delete("/api/v1/clusters/demo")
        while (told := await frame(socket))["type"] != "end":
            pass
        assert told["topic"] == topic
        await until(lambda: not hub._feeds)


async def test_whoever_leaves_at_any_moment_leaves_nothing(
    ann: Caller, lab_server: LabServer
) -> None:
    cluster = await ann.create(name="demo")
    await ann.until("demo", "ready")
    topic, hub = f"cluster:{cluster['id']}", lab_server.state["hub"]
    for wait in (0.0, 0.001, 0.003, 0.01, 0.03):
        async with ann.stream() as socket:
            before = len(asyncio.all_tasks())
            for name in (topic, "clusters") * 3:
                await socket.send(json.dumps({"type": "subscribe", "topic": name}))
                await asyncio.sleep(wait)
                await socket.send(json.dumps({"type": "unsubscribe", "topic": name}))
            await socket.send(json.dumps({"type": "ping", "nonce": "n"}))
            while (await frame(socket))["type"] != "pong":
                pass
            await until(lambda: not hub._feeds and not any(hub._owners.values()))
            await no_more_tasks_than(before)
            await socket.send(json.dumps({"type": "subscribe", "topic": topic}))
            await asyncio.sleep(wait)
        await until(lambda: not hub._feeds)


async def test_who_stops_reading_catches_up_and_is_live_again(
    ann: Caller, lab_server: LabServer
) -> None:
    cluster = await ann.create(name="demo")
    await ann.until("demo", "ready")
    database = lab_server.state["database"]

    async def write(count: int, text: str) -> int:
        drafts = [Draft(LogLine(stream="stderr", text=text)) for _ in range(count)]
        async with database.transaction() as session:
            await event_log.append(session, cluster["id"], drafts)
        return int((await ann.http.get("/api/v1/clusters/demo")).json()["last_seq"])

    async with ann.stream() as socket:
        feed = await live(ann, lab_server, socket, f"cluster:{cluster['id']}")
        cursor = last = feed.head
        socket.transport.pause_reading()
        async with asyncio.timeout(30):
            while feed._listeners:  # what the kernel takes for a client that does not read
                last = await write(LINES, LONG)
                await asyncio.sleep(0.1)
        socket.transport.resume_reading()
        await read_on(socket, cursor, last)
        await until(lambda: feed._listeners)
        await read_on(socket, last, await write(1, "short"))
