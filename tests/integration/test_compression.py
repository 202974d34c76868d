"""Answers are compressed where they may be: large ones without a secret, for who takes gzip."""

import gzip
import json

import httpx

from server.config import Settings
from tests.integration.conftest import Caller, serving, sign_up

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}
MOST_PAGE_BYTES = 60 * 1024


async def raw(
    caller: Caller, path: str, accepting: dict[str, str], method: str = "GET"
) -> tuple[httpx.Headers, bytes]:
    """Ask, and return the headers and the body as it was sent."""
    async with caller.http.stream(method, path, headers=accepting) as answer:
        assert answer.status_code == 200
        return answer.headers, b"".join([piece async for piece in answer.aiter_raw()])


async def test_a_page_of_a_megabyte_goes_out_small(ann: Caller) -> None:
    cluster = await ann.create(name="demo", labels={"simulate": "flood:5200:0"})
    await ann.until(cluster["id"], "ready")
    path = "/api/v1/clusters/demo/events?limit=5000"
    headers, plain = await raw(ann, path, PLAIN)
    assert len(plain) > 1_000_000
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"
    headers, small = await raw(ann, path, GZIP)
    assert headers["content-encoding"] == "gzip"
    assert headers["vary"] == "Accept-Encoding"
    assert len(small) == int(headers["content-length"]) < MOST_PAGE_BYTES
    assert gzip.decompress(small) == plain
    head, nothing = await raw(ann, path, GZIP, "HEAD")
    assert nothing == b""
    for name in ("content-encoding", "content-length", "vary", "cache-control"):
        assert head[name] == headers[name]
    _, lines = await raw(ann, "/api/v1/clusters/demo/log", PLAIN)
    headers, small = await raw(ann, "/api/v1/clusters/demo/log", GZIP)
    assert headers["content-encoding"] == "gzip"
    assert len(small) < len(lines) / 5
    assert gzip.decompress(small) == lines


async def test_a_live_stream_is_not_held_back_in_a_compressor(ann: Caller) -> None:
    cluster = await ann.create(name="demo", labels={"simulate": "hang"})
    for path, accept in (
        (f"/api/v1/clusters/{cluster['id']}/events", "text/event-stream"),
        (f"/api/v1/clusters/{cluster['id']}/log?follow=1", "*/*"),
    ):
        asked = {**GZIP, "Accept": accept}
        async with ann.http.stream("GET", path, headers=asked) as answer:
            assert "content-encoding" not in answer.headers
            assert answer.headers["cache-control"] == "no-store, no-transform"
            async for line in answer.aiter_lines():
                if "Preparing" in line or "created" in line:
                    break


async def test_secrets_are_sent_plain(settings: Settings) -> None:
    long_name = "x" * 60
    async with serving(settings) as server:
        ann = await sign_up(server, "ann")
        cluster = await ann.create(name="demo")
        await ann.until(cluster["id"], "ready")
        account = {"username": "ann", "password": "correct horse battery"}
        wish = {"name": long_name, "scopes": ["clusters:read"]}
        for method, path, body in (
            ("POST", "/api/v1/auth/login", account),
            ("POST", "/api/v1/tokens", wish),
            ("GET", "/api/v1/clusters/demo/kubeconfig?endpoint=direct", None),
            ("GET", "/api/v1/tokens?limit=100", None),
        ):
            answer = await ann.http.request(method, path, json=body, headers=GZIP)
            assert answer.status_code in {200, 201}, answer.text
            assert "content-encoding" not in answer.headers
            assert "no-transform" in answer.headers["cache-control"]
        refused = await ann.http.get("/api/v1/clusters/none", headers=GZIP)
        assert json.loads(refused.content)["code"] == "not_found"
        assert "content-encoding" not in refused.headers
        await ann.http.aclose()
