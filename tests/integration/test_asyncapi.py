"""The server serves the description of its stream, shows it as a page, and keeps to it."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.asyncapi.check import messages_of, payload_validator
from tests.integration.conftest import Caller, LabServer
from tests.integration.terminals import terminal

Json = dict[str, Any]


async def converse(caller: Caller) -> tuple[list[Json], list[Json]]:
    """Use all that the protocol has; give the frames of the client and of the server."""
    said: list[Json] = []
    heard: list[Json] = []
    cluster = await caller.create(name="demo", labels={"simulate": "fail-late"})
    await caller.until(cluster["id"], "failed")
    topic = f"cluster:{cluster['id']}"
    async with caller.stream() as socket, asyncio.timeout(60):

        async def say(**frame: Any) -> None:
            said.append(frame)
            await socket.send(json.dumps(frame))

        async def hear_until(kind: str) -> None:
            while not heard or heard[-1]["type"] != kind:
                heard.append(json.loads(await socket.recv()))

        await say(type="subscribe", topic="clusters")
        await hear_until("snapshot")
        await say(type="subscribe", topic=topic, after=0, epoch=cluster["epoch"])
        await hear_until("bookmark")
        await say(type="unsubscribe", topic=topic)
        await say(type="ping", nonce="n")
        await hear_until("pong")
        await say(type="subscribe", topic=topic)
        await hear_until("snapshot")
        await say(type="subscribe", topic=topic)
        await hear_until("error")
        await caller.http.delete("/api/v1/clusters/demo")
        await hear_until("end")
        await say(type="subscribe", topic="weather")
        with pytest.raises(ConnectionClosed):
            while True:
                heard.append(json.loads(await socket.recv()))
    return said, heard


async def test_a_real_conversation_keeps_to_it(ann: Caller) -> None:
    document: Json = (await ann.http.get("/asyncapi.json")).json()
    said, heard = await converse(ann)
    assert {frame["type"] for frame in heard} >= {
        "snapshot", "events", "bookmark", "pong", "error", "end",
    }  # fmt: skip
    events = [event for frame in heard for event in frame.get("events", ())]
    assert {"created", "phase_changed", "log_line", "failure_explained"} <= {
        event["type"] for event in events
    }
    for action, frames in (("receive", said), ("send", heard)):
        validator = payload_validator(document, *messages_of(document, "stream", action))
        for frame in frames:
            validator.validate(frame)
    # What the server says must not pass for what a client says, or nothing was looked at.
    client = payload_validator(document, *messages_of(document, "stream", "receive"))
    assert not any(client.is_valid(frame) for frame in heard)


async def test_a_real_terminal_keeps_to_it(ann: Caller) -> None:
    document: Json = (await ann.http.get("/asyncapi.json")).json()
    await ann.create(name="demo")
    await ann.until("demo", "ready")
    said: list[Json] = [
        {"type": "resize", "rows": 40, "cols": 132},
        {"type": "ack", "offset": 0},
        {"type": "ping", "nonce": "n"},
    ]
    async with terminal(ann, "demo", rows=30) as attached:
        for frame in said:
            await attached.say(**frame)
        while attached.told[-1]["type"] != "pong":
            await attached.take()
        await attached.type("exit 3\r")
        assert await attached.closed() == 1000
    async with terminal(ann, "demo", session=attached.session, offset=10**9) as late:
        assert await late.closed() == 4510
    heard = attached.told + late.told
    assert {frame["type"] for frame in heard} == {"attached", "pong", "exit", "error"}
    told = payload_validator(document, *texts_of(document, "send"))
    asked = payload_validator(document, *texts_of(document, "receive"))
    for frame in heard:
        told.validate(frame)
        assert not asked.is_valid(frame)
    for frame in said:
        asked.validate(frame)


def texts_of(document: Json, action: str) -> list[str]:
    """Name the messages of the terminal that are JSON."""
    return [name for name in messages_of(document, "terminal", action) if name != "Bytes"]


async def test_the_page_is_there_without_a_script(lab_server: LabServer) -> None:
    async with httpx.AsyncClient(base_url=lab_server.base_url, trust_env=False) as browser:
        page = await browser.get("/docs/stream")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "<script" not in page.text
        assert " style=" not in page.text
        looks = [*re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)]
        assert len(looks) == 1
        style = await browser.get(looks[0])
        assert style.headers["content-type"].startswith("text/css")
        assert "prefers-color-scheme" in style.text or "light-dark(" in style.text
        for link in {*re.findall(r'href="(/[^"]*)"', page.text)} - {"/"}:
            assert (await browser.get(link)).status_code == 200, link
