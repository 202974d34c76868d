import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from pyk8s import (
    ApiProblem,
    Conflict,
    Forbidden,
    Invalid,
    LabError,
    Misunderstood,
    NotFound,
    OverCapacity,
    Unauthenticated,
    Unreachable,
)
from pyk8s.client.config import Endpoint
from pyk8s.client.http import Http
from tests.unit.client.scripted import Pauses

Answer = httpx.Response | Exception


def problem(status: int, code: str = "code", **more: Any) -> httpx.Response:
    headers = {"content-type": "application/problem+json", **more.pop("headers", {})}
    body = {"type": "t", "title": "Title", "status": status, "detail": "Detail.", "code": code}
    return httpx.Response(status, headers=headers, content=json.dumps({**body, **more}))


class Server:
    """Gives its answers in turn, and remembers the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def http(server: Callable[[httpx.Request], httpx.Response], pauses: Pauses) -> Http:
    return Http(
        Endpoint("https://lab:8000", "secret"),
        backoff=pauses.backoff(),
        transport=httpx.MockTransport(server),
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unauthenticated),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Conflict),
        (413, Invalid),
        (415, Invalid),
        (418, ApiProblem),
        (422, Invalid),
        (429, OverCapacity),
        (500, ApiProblem),
        (503, OverCapacity),
    ],
)
async def test_a_problem_is_an_exception_of_its_kind(
    status: int, kind: type[ApiProblem], pauses: Pauses
) -> None:
    errors = [{"field": "name", "message": "is wrong"}]
    server = Server(problem(status, "the_code", fix="Do this.", errors=errors))
    with pytest.raises(ApiProblem) as caught:
        await http(server, pauses).document("GET", "/clusters")
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.fix) == ("the_code", "Do this.")
    assert caught.value.errors[0].field == "name"
    assert server.requests[0].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_repeatable_call_survives_a_broken_connection_and_a_restart(
    method: str, pauses: Pauses
) -> None:
    server = Server(
        httpx.ReadError("broke"),
        httpx.ReadTimeout("late"),
        problem(503, headers={"Retry-After": "2"}),
        httpx.Response(200, json={"ok": True}),
    )
    assert await http(server, pauses).document(method, "/clusters/a") == {"ok": True}
    assert pauses.asked == [0.125, 0.25, 2.5], "full jitter, plus what the server asked for"


async def test_a_call_with_a_key_is_repeated_with_the_same_key(pauses: Pauses) -> None:
    server = Server(httpx.ReadError("broke"), httpx.Response(202, json={}))
    await http(server, pauses).document("POST", "/clusters", headers={"Idempotency-Key": "k"})
    assert [r.headers["Idempotency-Key"] for r in server.requests] == ["k", "k"]


async def test_a_call_without_a_key_is_not_repeated_once_it_may_have_arrived(
    pauses: Pauses,
) -> None:
    server = Server(httpx.ReadError("broke"))
    with pytest.raises(Unreachable):
        await http(server, pauses).document("POST", "/tokens", body={})
    assert len(server.requests) == 1
    never_sent = Server(httpx.ConnectError("no"), httpx.Response(201, json={}))
    await http(never_sent, pauses).document("POST", "/tokens", body={})
    assert len(never_sent.requests) == 2


async def test_it_gives_up_after_four_tries(pauses: Pauses) -> None:
    server = Server(*[httpx.ConnectError("no")] * 9)
    with pytest.raises(Unreachable) as caught:
        await http(server, pauses).document("GET", "/clusters")
    assert len(server.requests) == 4
    assert "https://lab:8000" in caught.value.detail
    assert "pyk8s up" in (caught.value.fix or "")


@pytest.mark.parametrize(
    "answer",
    [
        problem(503),
        problem(503, headers={"Retry-After": "3600"}),
        problem(429, headers={"Retry-After": "1"}),
        problem(500),
    ],
)
async def test_what_will_not_pass_soon_is_said_at_once(
    answer: httpx.Response, pauses: Pauses
) -> None:
    with pytest.raises(ApiProblem):
        await http(Server(answer), pauses).document("GET", "/clusters")
    assert pauses.asked == []


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (httpx.Response(200, html="<h1>Hello"), Misunderstood, "is not a PyK8s-Lab server"),
        (httpx.Response(200, json=[1]), Misunderstood, "is not a PyK8s-Lab server"),
        (httpx.Response(404, html="no"), Misunderstood, "is not a PyK8s-Lab server"),
        (httpx.Response(308, headers={"location": "https://x"}), Misunderstood, "https://x"),
    ],
)
async def test_a_stranger_is_called_one(
    answer: httpx.Response, kind: type[LabError], words: str, pauses: Pauses
) -> None:
    with pytest.raises(kind) as caught:
        await http(Server(answer), pauses).document("GET", "/clusters")
    assert words in caught.value.detail
    assert caught.value.fix


async def test_a_gateway_without_its_server_is_tried_again_and_then_named(pauses: Pauses) -> None:
    with pytest.raises(Unreachable, match="the server behind it does not"):
        await http(Server(*[httpx.Response(502)] * 4), pauses).document("GET", "/clusters")


async def test_an_unreadable_problem_still_says_its_status(pauses: Pauses) -> None:
    headers = {"content-type": "application/problem+json"}
    with pytest.raises(ApiProblem, match="HTTP 500"):
        await http(Server(httpx.Response(500, headers=headers, content=b"{")), pauses).document(
            "GET", "/clusters"
        )


async def test_an_answer_without_an_end_is_refused(
    pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyk8s.client.http.LARGEST_ANSWER_BYTES", 2**20)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            assert sent < 100, "it reads on"
            yield b" " * 2**16

    client = http(Server(httpx.Response(200, content=endless())), pauses)
    with pytest.raises(Misunderstood, match="more than 1 MiB"):
        await client.document("GET", "/auth/me")


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate", "br", "x"])
async def test_nothing_compressed_is_unpacked(encoding: str, pauses: Pauses) -> None:
    async def body() -> AsyncIterator[bytes]:
        pytest.fail("it is read")
        yield b""

    server = Server(
        httpx.Response(200, headers={"Content-Encoding": encoding}, content=body()),
        httpx.Response(200, headers={"Content-Encoding": "Identity"}, content=b"{}"),
    )
    client = http(server, pauses)
    with pytest.raises(Misunderstood, match="encoding that was not asked for"):
        await client.document("GET", "/auth/me")
    assert await client.document("GET", "/auth/me") == {}
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[" * 200_000, "is not a PyK8s-Lab server"),
        (b'{"items":' * 200_000, "is not a PyK8s-Lab server"),
        (b'{"items":' + b"9" * 100_000 + b"}", "is not a PyK8s-Lab server"),
        (b'{"items":5}', "items: a list of objects is expected"),
        (b'{"items":{"a":1}}', "items: a list of objects is expected"),
        (b'{"items":[5]}', "items: a list of objects is expected"),
        (b'{"items":[],"next_cursor":5}', "next_cursor: the list does not come to an end"),
    ],
    ids=lambda value: str(value[:30]),
)
async def test_a_list_that_is_none_is_not_understood(
    body: bytes, told: str, pauses: Pauses
) -> None:
    with pytest.raises(Misunderstood, match=told) as caught:
        await http(Server(httpx.Response(200, content=body)), pauses).items("/clusters")
    assert caught.value.fix


async def test_a_list_without_an_end_is_left(pauses: Pauses) -> None:
    asked = 0

    def pages(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        assert asked <= 2000, "it asks on"
        cursor = "same" if request.url.path.endswith("/tokens") else f"c{asked}"
        return httpx.Response(200, json={"items": [], "next_cursor": cursor})

    client = http(pages, pauses)
    with pytest.raises(Misunderstood, match="does not come to an end"):
        await client.items("/tokens")
    assert asked == 2
    with pytest.raises(Misunderstood, match="more than 1000 pages"):
        await client.items("/clusters")
