"""docs/reference/protocol.md is enough to write a client from, and what it shows is so."""

import asyncio
import json
import re
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from pyk8s.wire.cluster import Cluster, Progress, Step
from pyk8s.wire.reduce import changes_of
from server.api import stream_examples
from server.api.routes import EVERYWHERE, STREAM_ERRORS
from tests.docs.transcript import Line, Names, items, read
from tests.integration.conftest import Caller, LabServer

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "protocol.md").read_text("utf-8")
TRANSCRIPT = read(re.findall(r"^```transcript\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0])


class Replay:
    """Plays the client and the people around, and compares what the server says."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._names = Names()
        self._heard: deque[Any] = deque()
        self._socket: ClientConnection | None = None
        self._more = False
        self._last: int | None = None

    async def play(self, lines: list[Line]) -> None:
        first = next(line.frame["topic"] for line in lines if '"cluster:' in line.text)
        for line in lines:
            if line.who == "#":
                await self._do(line.text.split(" ", 2), first.removeprefix("cluster:"))
            elif line.frame is None:
                self._more = True
            elif line.who == ">":
                await self._talk.send(json.dumps(self._names.real(line.frame)))
            else:
                for written in items(line.frame):
                    await self._hear(written)

    @property
    def _talk(self) -> ClientConnection:
        assert self._socket is not None, "the transcript has no `# connect`"
        return self._socket

    async def _do(self, words: list[str], cluster_id: str) -> None:
        match words:
            case ["POST", path, body]:
                answer = await self._caller.http.post(path, json=json.loads(body))
                assert answer.status_code == 202, answer.text
                self._names.ids[cluster_id] = answer.json()["id"]
            case ["DELETE", path]:
                assert (await self._caller.http.delete(path)).status_code == 202
            case ["connect"]:
                self._socket = await connect(
                    self._caller.base_url.replace("http", "ws") + "/api/v1/stream",
                    subprotocols=[Subprotocol("pyk8s.v1")],
                    additional_headers={"Authorization": f"Bearer {self._caller.token}"},
                    compression=None,
                    proxy=None,
                )
            case ["cut"]:
                self._talk.transport.abort()
                self._heard.clear()
                self._last = None
            case ["closed", code]:
                with pytest.raises(ConnectionClosed) as closed:
                    await self._next()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == int(code)
            case _:
                raise AssertionError(f"what is this: {words}")

    async def _next(self) -> Any:
        while not self._heard:
            self._heard.extend(items(json.loads(await self._talk.recv())))
        found = self._heard.popleft()
        if "event" in found:
            seq = found["event"]["seq"]
            assert self._last in {None, seq - 1}, "a gap"
            self._last = seq
        return found

    async def _hear(self, written: Any) -> None:
        while True:
            found = await self._next()
            names = self._names.copy()
            if names.same(written, found):
                self._names = names
                self._more = False
                return
            is_between = found.get("type") == "bookmark" or (self._more and "event" in found)
            assert is_between, f"\nwritten {written}\nheard   {found}"


async def test_the_conversation_is_what_a_server_says(ann: Caller) -> None:
    async with asyncio.timeout(60):
        await Replay(ann).play(TRANSCRIPT)


async def test_a_conversation_that_is_not_so_is_found_out(ann: Caller) -> None:
    wrong = [
        Line(line.who, line.text.replace('"reason": "Claimed"', '"reason": "Taken"'))
        for line in TRANSCRIPT
    ]
    assert wrong != TRANSCRIPT
    with pytest.raises(AssertionError, match="Taken"):
        async with asyncio.timeout(60):
            await Replay(ann).play(wrong)


ONE, TWO = (f"018f0000-0000-7000-8000-00000000000{digit}" for digit in "12")


@pytest.mark.parametrize(
    ("written", "real"),
    [
        ({"seq": 1}, {"seq": 1, "more": 1}),
        ({"seq": 1, "type": "x"}, {"seq": 1}),
        ({"at": "2026-01-01T00:00:00.000000Z"}, {"at": "2026-01-01"}),
        ([{"seq": 4}, {"seq": 5}], [{"seq": 7}, {"seq": 9}]),
        ([{"seq": 4}, {"seq": 4}], [{"seq": 7}, {"seq": 8}]),
        ([ONE, ONE], [ONE, TWO]),
        ([ONE], ["1"]),
        ({"cont": False}, {"cont": 0.5}),
        ({"text": "a"}, {"text": "b"}),
    ],
)
def test_differences_are_seen(written: Any, real: Any) -> None:
    assert Names().same(written, written)
    assert not Names().same(written, real)


def test_what_varies_may_vary() -> None:
    written = {"id": ONE, "after": 3, "at": "2026-01-01T00:00:00.000000Z", "...": True}
    real = {"id": TWO, "after": 8, "at": "2027-01-01T00:00:00.000000Z", "new": 1}
    names = Names()
    assert names.same(written, real)
    assert names.real({"id": ONE, "after": 3}) == {"id": TWO, "after": 8}


async def test_the_handshake_is_what_a_server_does(ann: Caller, lab_server: LabServer) -> None:
    [block] = re.findall(r"^```http\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    asked, answered = block.strip().split("\n\n")
    place = urlsplit(lab_server.base_url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    asked = asked.replace("localhost:8000", place.netloc).replace("pyk8s_...", ann.token)
    writer.write((asked + "\n\n").replace("\n", "\r\n").encode())
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    status, *wanted = answered.splitlines()
    given = head.strip().split("\r\n")
    assert given[0] == status
    headers = {line.partition(":")[0].lower(): line.partition(": ")[2] for line in given[1:]}
    for line in wanted:
        name, _, value = line.partition(": ")
        assert headers[name.lower()].lower() == value.lower()
    assert "sec-websocket-extensions" not in headers, "compression is not negotiated"


def test_the_fold_is_what_the_reducer_does() -> None:
    table = PAGE.partition("<!-- checked: fold -->")[2].partition("<!-- end of fold -->")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))
    step = Progress(step=Step.NODES, index=2, total=8, percent=12)
    building = stream_examples.cluster(progress=step)
    changing = set()
    for fact in stream_examples.one_of_each():
        changed = set(changes_of(building, fact, datetime.now(UTC)))
        if fact.TYPE == "created":
            changing.add(fact.TYPE)
        elif changed:
            changing.add(fact.TYPE)
            named = set(re.findall(r"`(\w+)", rows[fact.TYPE]))
            assert changed <= named, fact.TYPE
            assert named & set(Cluster.model_fields) - changed <= {
                "progress", "ready_at", "deleted_at",
            }, fact.TYPE  # fmt: skip
    assert set(rows) - {"type"} == changing


def test_every_refusal_of_the_handshake_is_described() -> None:
    rows = re.findall(r"^\| (4\d\d|503) \| (`.*?) \|", PAGE, re.MULTILINE)
    described = {(int(status), code) for status, cell in rows for code in re.findall(r"\w+", cell)}
    assert described == {(error.status, error.code) for error in (*STREAM_ERRORS, *EVERYWHERE)}


async def test_of_a_token_and_a_cookie_the_token_counts(ann: Caller, lab_server: LabServer) -> None:
    async with httpx.AsyncClient(base_url=lab_server.base_url, trust_env=False) as browser:
        account = {"username": "ann", "password": "correct horse battery"}
        assert (await browser.post("/api/v1/auth/login", json=account)).status_code == 200
        cookie = f"pyk8s_session={browser.cookies['pyk8s_session']}"
    wanted = [
        ("Bearer pyk8s_wrong", cookie, False),
        (f"Bearer {ann.token}", "pyk8s_session=wrong", True),
        (f"Bearer {ann.token}", cookie, True),
    ]
    for bearer, sent, is_taken in wanted:
        headers = {"Authorization": bearer, "Cookie": sent, "Origin": lab_server.origin}
        async with httpx.AsyncClient(base_url=lab_server.base_url, trust_env=False) as http:
            answer = await http.get("/api/v1/auth/me", headers=headers)
        assert answer.status_code == (200 if is_taken else 401), (bearer[:12], sent[:16])
        try:
            async with connect(
                lab_server.base_url.replace("http", "ws") + "/api/v1/stream",
                subprotocols=[Subprotocol("pyk8s.v1")],
                additional_headers=headers,
                proxy=None,
            ):
                status = 101
        except InvalidStatus as refused:
            status = refused.response.status_code
        assert status == (101 if is_taken else 401), (bearer[:12], sent[:16])


async def test_a_message_may_come_in_fragments(ann: Caller) -> None:
    async with ann.stream() as socket, asyncio.timeout(20):
        frame = json.dumps({"type": "ping", "nonce": "über"}, ensure_ascii=False)
        await socket.send([frame[:9], frame[9:23], frame[23:]])
        assert json.loads(await socket.recv()) == {"type": "pong", "nonce": "über"}


async def test_the_end_of_sse_repeats_the_last_id(ann: Caller) -> None:
    cluster = await ann.create(name="demo")
    await ann.until(cluster["id"], "ready")
    await ann.http.delete("/api/v1/clusters/demo")
    deleted = await ann.until(cluster["id"], "deleted")
    answer = await ann.http.get(
        f"/api/v1/clusters/{cluster['id']}/events", headers={"Accept": "text/event-stream"}
    )
    messages = [
        dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        for block in answer.text.split("\n\n")
        if "id: " in block
    ]
    events = [int(each["id"]) for each in messages if each.get("event", "end") != "end"]
    assert events == list(range(1, deleted["last_seq"] + 1))
    last = messages[-1]
    assert last["event"] == "end"
    assert int(last["id"]) == events[-1]
    assert json.loads(last["data"]) == {"seq": events[-1]}


async def test_types_are_as_the_page_says(ann: Caller) -> None:
    cluster = await ann.create(name="demo")
    await ann.until(cluster["id"], "ready")
    page = (await ann.http.get("/api/v1/clusters/demo/events")).json()
    moment = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    for event in page["items"]:
        assert moment.fullmatch(event["at"])
        assert type(event["seq"]) is type(event["version"]) is int
        assert str(UUID(cluster["id"])) == cluster["id"]
    tables = PAGE.partition("<!-- generated: client frames -->")[2]
    assert "`after`? (integer or null)" in tables
    assert "`heartbeat_seconds` (number)" in tables
    assert "`epoch` (string, a UUID)" in tables
    assert "`expires_at` (string, a time)" in tables
