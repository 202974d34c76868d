"""Text from outside that PostgreSQL, a log or a terminal cannot take is refused by its name."""

import base64
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from pyk8s.wire.terminals import TERMINAL_SUBPROTOCOL
from server.errors import Unstorable
from server.store.database import Database
from tests.integration.conftest import Caller, LabServer
from tests.integration.test_api import problem

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("auth/login", {"username": "a\0", "password": "x"}, "username"),
        ("tokens", {"name": "a\0b", "scopes": ["access"]}, "name"),
        ("tokens", {"name": "a\x1b[31mb", "scopes": ["access"]}, "name"),
        ("clusters", {"template": "\x85"}, "template"),
        ("clusters", {"kubernetes_version": "v" * 1025}, "kubernetes_version"),
        ("clusters/demo/credentials", {"name": "a\0b"}, "name"),
        ("clusters/demo/credentials", {"expires_in_seconds": 10**4000}, "expires_in_seconds"),
        ("admin/drift/repair", {"differences": ["a\0"]}, "differences"),
    ],
)
async def test_a_field(ann: Caller, path: str, body: dict[str, Any], field: str) -> None:
    await ann.create(name="demo")
    refusal = problem(await ann.http.post(f"/api/v1/{path}", json=body), 422, "validation")
    assert refusal.errors is not None
    assert [error.field for error in refusal.errors] == [field]


@pytest.mark.parametrize("tail", ["", "/events", "/log", "/kubeconfig", "/terminals", "/usage"])
@pytest.mark.parametrize("name", ["%00", "demo%00", "a%0Ab", "%C2%85", "x" * 254])
async def test_a_name_in_the_path(ann: Caller, name: str, tail: str) -> None:
    refusal = problem(await ann.http.get(f"/api/v1/clusters/{name}{tail}"), 422, "validation")
    assert refusal.errors is not None
    assert [error.field for error in refusal.errors] == ["id_or_name"]


async def test_a_name_in_the_path_of_a_terminal(ann: Caller) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(
            f"{ann.base_url.replace('http', 'ws')}/api/v1/clusters/%00/terminal",
            subprotocols=[Subprotocol(TERMINAL_SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {ann.token}"},
            proxy=None,
        )
    assert refused.value.response.status_code == 422


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("clusters?label=a=%00", "label"),
        ("clusters?cursor=%00", "cursor"),
        ("clusters?limit=1e309", "limit"),
        ("clusters/demo/events?types=%00", "types"),
        (f"clusters/demo/events?after={'9' * 5000}", "after"),
    ],
)
async def test_a_query(ann: Caller, query: str, field: str) -> None:
    await ann.create(name="demo")
    refusal = problem(await ann.http.get(f"/api/v1/{query}"), 422, "validation")
    assert refusal.errors is not None
    assert {error.field.partition(".")[0] for error in refusal.errors} == {field}


@pytest.mark.parametrize("given", ["9" * 5000, "", "²", "-1", "1_0", "9007199254740992", "\x85"])
async def test_the_last_id_of_a_stream(ann: Caller, given: str) -> None:
    await ann.create(name="demo")
    headers = [(b"Last-Event-ID", given.encode("latin-1")), (b"Accept", b"text/event-stream")]
    answer = await ann.http.get("/api/v1/clusters/demo/events", headers=headers)
    problem(answer, 422, "validation")


@pytest.mark.parametrize("given", ["", "k" * 256, "a\x85b"])
async def test_an_idempotency_key(ann: Caller, given: str) -> None:
    headers = [(b"Idempotency-Key", given.encode("latin-1"))]
    answer = await ann.http.post("/api/v1/clusters", json={}, headers=headers)
    problem(answer, 422, "validation")


@pytest.mark.parametrize(
    "body", [b'{"name":"a","name":"b"}', b'{"labels":{"a":"1","a":"2"}}', b'{"name":"\\ud800"}']
)
async def test_a_body_that_parsers_read_differently(ann: Caller, body: bytes) -> None:
    answer = await ann.http.post("/api/v1/clusters", content=body, headers=JSON)
    problem(answer, 422, "validation")
    assert (await ann.http.get("/api/v1/clusters")).json()["items"] == []


@pytest.mark.parametrize("action", ["cancel", "retry", "pause", "resume"])
async def test_a_body_where_none_is_read(ann: Caller, action: str) -> None:
    await ann.create(name="demo", labels={"simulate": "hang"})
    url = f"/api/v1/clusters/demo/{action}"
    problem(await ann.http.post(url, json={"workers": 2}), 422, "validation")
    problem(await ann.http.post(url, content=b" " * 100), 413, "too_large")
    for nothing in (b"{}", b""):
        assert (await ann.http.post(url, content=nothing)).status_code in {202, 409}


async def test_the_answer_to_unknown_fields_is_bounded(ann: Caller) -> None:
    body = {f"field_{number}": 1 for number in range(3000)}
    answer = await ann.http.post("/api/v1/clusters", json=body)
    refusal = problem(answer, 422, "validation")
    assert refusal.errors is not None
    assert len(refusal.errors) == 20


async def test_a_value_that_no_check_has_refused_is_no_defect_of_the_database(
    database: Database,
) -> None:
    for statement, values in (
        ("SELECT CAST(:text AS text)", {"text": "\0"}),
        ("SELECT CAST(:number AS integer)", {"number": 2**31}),
        ("SELECT CAST('9' || CAST(:text AS text) AS integer)", {"text": "9" * 20}),
    ):
        with pytest.raises(Unstorable):
            async with database.transaction() as session:
                await session.execute(text(statement), values)
    with pytest.raises(Unstorable):
        async with database.writing_lines() as connection:
            await connection.fetchval("SELECT $1::text", "\0")


async def test_after_a_defect_the_connection_ends_in_good_order(
    ann: Caller, lab_server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client must not find its next request reset on a connection that it was told to keep."""

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("server.store.clusters.count_living", broken)
    async with httpx.AsyncClient(
        base_url=lab_server.base_url, headers={"Authorization": f"Bearer {ann.token}"}
    ) as client:
        for _ in range(3):
            answer = await client.get("/api/v1/auth/me")
            problem(answer, 500, "internal")
            assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "place",
    [
        "0001-01-01T00:00:00+23:59 {id}",
        "9999-12-31T23:59:59-23:59 {id}",
        "2026-01-01T00:00:00 {id}",
        "2026-01-01 {id}",
        "2026-01-01T00:00:00+00:00 x",
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00+00:00 {id} {id}",
        "٢026-01-01T00:00:00+00:00 {id}",
        "",
    ],
)
async def test_a_forged_cursor(ann: Caller, place: str) -> None:
    """It is refused as unknown, not by PostgreSQL nor by Python's calendar."""
    cluster = await ann.create()
    forged = base64.urlsafe_b64encode(place.format(id=cluster["id"]).encode()).decode()
    for cursor in (forged, forged + "=", f"{forged}!", "é", "x" * 201):
        answer = await ann.http.get("/api/v1/clusters", params={"cursor": cursor})
        problem(answer, 422, "validation")


@pytest.mark.parametrize("after", ["9" * 4000, "9" * 5000, "9007199254740992", "1e309", "-1"])
async def test_a_position_in_a_frame(ann: Caller, after: str) -> None:
    cluster = await ann.create()
    async with ann.stream() as socket:
        topic = f"cluster:{cluster['id']}"
        await socket.send(f'{{"type":"subscribe","topic":"{topic}","after":{after}}}')
        refused = json.loads(await socket.recv())
        assert (refused["type"], refused["code"]) == ("error", "malformed")
        assert "after" in refused["detail"] or "JSON" in refused["detail"]


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"ping","nonce":"a\\u0000"}',
        '{"type":"ping","nonce":"\\ud800"}',
        '{"type":"ping","nonce":"a","nonce":"b"}',
        "[" * 50_000,
        '{"type":"unsubscribe","topic":"\\u0000"}',
    ],
)
async def test_a_hostile_frame(ann: Caller, frame: str) -> None:
    async with ann.stream() as socket:
        await socket.send(frame)
        refused = json.loads(await socket.recv())
        assert (refused["type"], refused["code"]) == ("error", "malformed")
