"""A terminal over its WebSocket, with the simulated shell on a real pseudo-terminal."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import uuid4

import anyio
import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.config import Settings
from server.terminals.session import Ending
from server.terminals.terminals import ALONE_SECONDS, Limits
from tests.conftest import administrator, with_database
from tests.integration.conftest import Caller, LabServer, serving, sign_up
from tests.integration.terminals import PROTOCOL, Attached, terminal
from tests.ports import free_port

PROMPT = "(simulated)$ "


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def lab_server_settings(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings of one server for all tests of this module: none leaves a trace for the next."""
    name = f"test_{uuid4().hex}"

    async def do(statement: str) -> None:
        async with administrator(postgres) as connection:
            await connection.execute(statement)

    anyio.run(do, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield Settings(
        port=free_port(),
        data_dir=tmp_path_factory.mktemp("data"),
        database_url=SecretStr(with_database(postgres, name)),
        driver="simulated",
        simulated_speed=50,
        signup="open",
        host_name="test-host",
    )
    anyio.run(do, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_server(lab_server_settings: Settings) -> AsyncIterator[LabServer]:
    async with serving(lab_server_settings) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(lab_server: LabServer) -> AsyncIterator[Caller]:
    caller = await sign_up(lab_server, "ann")
    async with caller.http:
        yield caller


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(ann: Caller) -> str:
    """A cluster of ann's that is ready."""
    await ann.create(name="demo")
    await ann.until("demo", "ready")
    return "demo"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def tidy(lab_server: LabServer) -> AsyncIterator[None]:
    """End every terminal of a test after it."""
    yield
    terminals = lab_server.state["terminals"]
    for session in terminals._sessions.values():
        session.end("closed")
    await until(lambda: not terminals._sessions)


@pytest_asyncio.fixture(loop_scope="module")
async def opened(ann: Caller, demo: str) -> AsyncIterator[Attached]:
    """A terminal in it, at its prompt."""
    async with terminal(ann, demo, rows=30, cols=100) as attached:
        await attached.until(PROMPT)
        yield attached


async def test_it_takes_input_and_a_size_and_ends_with_a_code(opened: Attached) -> None:
    assert "Simulated: a script plays the shell" in opened.output.decode()
    assert "demo (simulated)$" in opened.output.decode()
    await opened.type("echo hello there\r")
    await opened.until("\r\nhello there\r\n")
    await opened.type("size\r")
    await opened.until("30 rows, 100 columns")
    await opened.say(type="resize", rows=51, cols=171)
    await opened.until("51 rows, 171 columns")
    await opened.say(type="ping", nonce="n")
    await opened.type("exit 7\r")
    assert await opened.closed() == 1000
    assert opened.told[1:] == [
        {"type": "pong", "nonce": "n"},
        {"type": "exit", "code": 7, "reason": "exited"},
    ]


async def test_who_comes_back_finds_what_was_there_byte_for_byte(
    ann: Caller, demo: str, opened: Attached
) -> None:
    await opened.type("lines 100\r")
    await opened.until("line 100\r\n")
    await opened.until(PROMPT, after=opened.output.index(b"line 100"))
    opened.socket.transport.abort()
    async with terminal(ann, demo, session=opened.session) as again:
        assert again.told == [
            {"type": "attached", "session": opened.session, "offset": 0, "lost": 0}
        ]
        while len(again.output) < len(opened.output):
            await again.take()
        assert again.output == opened.output
    async with terminal(ann, demo, session=opened.session, offset=opened.offset) as third:
        assert third.told[0]["offset"] == opened.offset
        await third.type("echo still here\r")
        await third.until("\r\nstill here\r\n")


async def test_nothing_is_lost_or_doubled_across_cuts_in_a_flood(
    ann: Caller, demo: str, opened: Attached
) -> None:
    begin = opened.offset
    await opened.type("lines 60000\r")
    got, offset, cuts = b"", begin, 0
    while f"line 60000\r\n{'demo ' + PROMPT}".encode() not in got:
        async with terminal(ann, demo, session=opened.session, offset=offset) as again:
            assert again.told[0] == {
                "type": "attached",
                "session": opened.session,
                "offset": offset,
                "lost": 0,
            }
            while len(again.output) < 100_000 and PROMPT.encode() not in again.output:
                await again.take()
            again.socket.transport.abort()
            got += again.output
            offset = again.offset
            cuts += 1
    printed = got.decode().replace("\r", "").splitlines()
    assert [line for line in printed if line.startswith("line ")] == [
        f"line {n}" for n in range(1, 60_001)
    ]
    assert cuts > 3


async def test_one_who_does_not_read_is_told_nothing_but_the_truth(
    ann: Caller, demo: str, opened: Attached
) -> None:
    """It holds the shell up, and has everything when it reads on."""
    await opened.type("lines 200000\r")
    await asyncio.sleep(0.3)
    while b"line 200000\r\n" not in opened.output[-4096:]:
        await opened.take()
    lines = opened.output.replace(b"\r", b"").splitlines()
    numbers = [line for line in lines if line.startswith(b"line ")]
    assert numbers == [b"line %d" % n for n in range(1, 200_001)]


async def test_two_see_the_same(ann: Caller, demo: str, opened: Attached) -> None:
    async with terminal(ann, demo, session=opened.session) as second:
        await second.type("echo from the second\r")
        await opened.until("\r\nfrom the second\r\n")
        await second.until("\r\nfrom the second\r\n")
        (listed,) = (await ann.http.get("/api/v1/clusters/demo/terminals")).json()["items"]
        assert listed["attached"] == 2
        assert listed["title"] == "demo"
        assert listed["pod"] is None
        assert listed["last_input_at"] is not None


async def test_it_ends_when_nobody_was_there_for_two_minutes(
    ann: Caller, demo: str, lab_server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminals = lab_server.state["terminals"]
    time_now = 1000.0
    monkeypatch.setattr(terminals, "_clock", lambda: time_now)
    async with terminal(ann, demo) as attached:
        await attached.until(PROMPT)
        (session,) = terminals._sessions.values()
        monkeypatch.setattr(session, "_clock", lambda: time_now)
        time_now += 10 * ALONE_SECONDS
        await terminals.look()
        assert session.ending is None, "somebody is there"
    await until(lambda: session.left_alone_at is not None)
    time_now += ALONE_SECONDS - 1
    await terminals.look()
    assert session.ending is None
    time_now += 1
    await terminals.look()
    async with terminal(ann, demo, session=attached.session) as late:
        assert await late.closed() == 1000
        assert late.told[-1] == {"type": "exit", "code": None, "reason": "abandoned"}
    await until(lambda: not terminals._sessions)
    time_now += ALONE_SECONDS
    await terminals.look()
    async with terminal(ann, demo, session=attached.session) as later:
        assert await later.closed() == 4504
        assert later.told[0]["code"] == "no_such_terminal"


async def test_it_ends_with_its_cluster(ann: Caller) -> None:
    await ann.create(name="short")
    await ann.until("short", "ready")
    async with terminal(ann, "short") as attached:
        await attached.until(PROMPT)
        await ann.http.delete("/api/v1/clusters/short")
        assert await attached.closed() == 1000
        assert attached.told[-1] == {"type": "exit", "code": None, "reason": "cluster_gone"}


async def test_it_can_be_ended_from_outside(ann: Caller, demo: str, opened: Attached) -> None:
    answer = await ann.http.delete(f"/api/v1/clusters/demo/terminals/{opened.session}")
    assert answer.status_code == 204
    assert await opened.closed() == 1000
    assert opened.told[-1] == {"type": "exit", "code": None, "reason": "closed"}
    assert (await ann.http.get("/api/v1/clusters/demo/terminals")).json()["items"] == []
    for unknown in (uuid4(), "nonsense"):
        answer = await ann.http.delete(f"/api/v1/clusters/demo/terminals/{unknown}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_terminal")


async def test_sign_out_ends_the_shell_within_a_second(
    ann: Caller, demo: str, lab_server: LabServer
) -> None:
    account = {"username": "ann", "password": "correct horse battery"}
    async with httpx.AsyncClient(base_url=ann.base_url, trust_env=False) as browser:
        await browser.post("/api/v1/auth/login", json=account)
        cookie = {"Cookie": f"pyk8s_session={browser.cookies['pyk8s_session']}"}
        async with terminal(ann, demo, headers=cookie, origin=lab_server.origin) as attached:
            await attached.until(PROMPT)
            (session,) = lab_server.state["terminals"]._sessions.values()
            assert (await browser.post("/api/v1/auth/logout")).status_code == 204
            loop = asyncio.get_running_loop()
            begin = loop.time()
            assert await attached.closed() == 4501
            assert attached.told[-1]["code"] == "unauthenticated"
            await until(lambda: session.ending is not None)
    # The other way would be the look at every credential, each 30 s.
    assert loop.time() - begin < 10
    assert session.ending == Ending("signed_out")


async def test_others_find_nothing_as_if_there_were_nothing(
    ann: Caller, lab_server: LabServer, demo: str, opened: Attached
) -> None:
    bob = await sign_up(lab_server, "bob")
    theirs = (await ann.until(demo, "ready"))["id"]
    answers = []
    for cluster in (theirs, str(uuid4())):
        for method, path in (
            ("GET", "terminals"),
            ("DELETE", f"terminals/{opened.session}"),
        ):
            answer = await bob.http.request(method, f"/api/v1/clusters/{cluster}/{path}")
            assert answer.status_code == 404
            answers.append(answer.text.replace(cluster, "ID"))
        with pytest.raises(InvalidStatus) as refused:
            async with terminal(bob, cluster, session=opened.session):
                pass
        response = refused.value.response
        assert response.status_code == 404
        answers.append((response.body or b"").decode().replace(cluster, "ID"))
    assert len(set(answers)) == 1
    # In a cluster of his own it is not there either.
    await bob.create(name="his")
    await bob.until("his", "ready")
    async with terminal(bob, "his", session=opened.session) as attached:
        assert await attached.closed() == 4504
    await bob.http.aclose()


async def test_who_may_not_is_refused_before_the_handshake(
    ann: Caller, demo: str, lab_server: LabServer
) -> None:
    wish = {"name": "reader", "scopes": ["clusters:read", "clusters:write"]}
    reader = (await ann.http.post("/api/v1/tokens", json=wish)).json()["token"]
    account = {"username": "ann", "password": "correct horse battery"}
    signed_in = await ann.http.post(
        "/api/v1/auth/login", json=account, headers={"Authorization": ""}
    )
    cookie = f"pyk8s_session={signed_in.cookies['pyk8s_session']}"
    url = lab_server.base_url.replace("http", "ws") + "/api/v1/clusters/demo/terminal"
    own = {"Authorization": f"Bearer {ann.token}"}
    for headers, query, protocols, status, code in (
        ({}, "", PROTOCOL, 401, "unauthenticated"),
        ({"Origin": "http://evil.example"}, "", PROTOCOL, 403, "cross_origin"),
        ({"Authorization": "Bearer pyk8s_no"}, "", PROTOCOL, 401, "unauthenticated"),
        ({"Authorization": f"Bearer {reader}"}, "", PROTOCOL, 403, "forbidden"),
        ({"Cookie": cookie}, "", PROTOCOL, 403, "cross_origin"),
        ({"Cookie": cookie, "Origin": "http://evil.example"}, "", PROTOCOL, 403, "cross_origin"),
        (own, "", None, 422, "validation"),
        (own, "rows=0", PROTOCOL, 422, "validation"),
        (own, "cols=1001", PROTOCOL, 422, "validation"),
        (own, "offset=-1", PROTOCOL, 422, "validation"),
        (own, "session=x", PROTOCOL, 422, "validation"),
        (own, "pod=nginx", PROTOCOL, 422, "validation"),
        (own, "pod=default/-x", PROTOCOL, 422, "validation"),
        (own, "pod=default/a;b", PROTOCOL, 422, "validation"),
        (own, "pod=default/a%0a", PROTOCOL, 422, "validation"),
        (own, "pod=default/a&container=--v", PROTOCOL, 422, "validation"),
        (own, "container=a", PROTOCOL, 422, "validation"),
        (own, "user=root", PROTOCOL, 422, "validation"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                f"{url}?{query}", subprotocols=protocols, additional_headers=headers, proxy=None
            )
        response = refused.value.response
        told = json.loads(response.body or b"")
        assert (response.status_code, told["code"]) == (status, code), (query, told)
        if status == 422 and query:
            assert query.partition("=")[0] in told["detail"] or "container" in told["detail"]


async def test_what_cannot_be_understood_closes_the_connection_and_not_the_shell(
    ann: Caller, demo: str, opened: Attached
) -> None:
    session = opened.session
    for sent, code in (
        ("{", 4500),
        ('{"type":"dance"}', 4500),
        ('{"type":"resize","rows":0,"cols":1}', 4500),
        ('{"type":"resize","rows":10}', 4500),
        ('{"type":"ack","offset":-1}', 4500),
        ('{"type":"ack","offset":1,"extra":1}', 4500),
        ("", 4500),
        (b"x" * 70_000, 1009),
    ):
        async with terminal(ann, demo, session=session) as attached:
            await attached.socket.send(sent)
            assert await attached.closed() == code, sent
            if code == 4500:
                assert attached.told[-1]["code"] == "malformed"
    async with terminal(ann, demo, session=session, offset=10**9) as attached:
        assert await attached.closed() == 4510
        assert attached.told[0]["code"] == "unknown_position"
    await opened.type("echo alive\r")
    await opened.until("\r\nalive\r\n")


async def test_there_are_so_many_and_no_more(
    ann: Caller, demo: str, lab_server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann.create(name="second")
    await ann.until("second", "ready")
    limits = Limits(per_user=3, per_cluster=2, in_all=200)
    monkeypatch.setattr(lab_server.state["terminals"], "_limits", limits)
    async with terminal(ann, demo), terminal(ann, demo) as last:
        await refused(ann, demo, "too_many_terminals", "the cluster has 2 terminals open")
        async with terminal(ann, "second"):
            await refused(ann, "second", "too_many_terminals", "you have 3 terminals open")
        await last.type("exit\r")
        await last.closed()
        async with terminal(ann, demo) as other:
            assert other.told[0]["type"] == "attached"


async def test_a_server_has_so_many_and_no_more(
    ann: Caller, demo: str, lab_server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(per_user=10, per_cluster=10, in_all=1)
    monkeypatch.setattr(lab_server.state["terminals"], "_limits", limits)
    async with terminal(ann, demo) as first:
        await refused(ann, demo, "too_many_terminals", "this server has 1 terminals open")
        await first.type("exit\r")
        await first.closed()
    async with terminal(ann, demo) as other:
        assert other.told[0]["type"] == "attached"


async def refused(caller: Caller, cluster: str, code: str, detail: str) -> None:
    async with terminal(caller, cluster) as attached:
        assert await attached.closed() == 4505
        assert attached.told[0]["type"] == "error"
        assert attached.told[0]["code"] == code
        assert detail in attached.told[0]["detail"]
        assert attached.told[0]["fix"]


async def test_a_cluster_that_is_not_up_or_elsewhere(
    ann: Caller, demo: str, lab_server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ann.create(name="hangs", labels={"simulate": "hang"})
    await refused(ann, "hangs", "not_ready", "no shell in it")
    listed = await ann.http.get("/api/v1/clusters/hangs/terminals")
    assert (listed.status_code, listed.json()["code"]) == (409, "not_ready")
    monkeypatch.setattr(lab_server.state["own_host"], "_here", None)
    await refused(ann, demo, "served_elsewhere", "test-host")
    listed = await ann.http.get("/api/v1/clusters/demo/terminals")
    assert (listed.status_code, listed.json()["code"]) == (409, "served_elsewhere")


async def test_a_pod_s_shell_is_named_and_traced(ann: Caller, demo: str) -> None:
    async with terminal(ann, demo, pod="default/web-0.a", container="main") as attached:
        await attached.until("shell in the pod default/web-0.a")
        (listed,) = (await ann.http.get("/api/v1/clusters/demo/terminals")).json()["items"]
    assert (listed["title"], listed["pod"], listed["container"]) == (
        "web-0.a", "default/web-0.a", "main",
    )  # fmt: skip
    events = (await ann.http.get("/api/v1/clusters/demo/events?limit=1000")).json()["items"]
    notes = [event["data"]["text"] for event in events if event["type"] == "note"]
    assert notes[-1] == "ann opened a terminal in the pod default/web-0.a."


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)
