"""REST: who may, what is refused and how, and that asking twice has one effect."""

import asyncio
import io
import re
import tarfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from pyk8s.wire.service import Problem
from server.api.readiness import certificate_check, clock_check
from server.api.routes import ENDPOINTS
from tests.integration.conftest import Caller, LabServer

JSON = {"Content-Type": "application/json"}
ACCOUNT = {"username": "carol", "password": "correct horse battery"}


def problem(answer: httpx.Response, status: int, code: str) -> Problem:
    """Read a refusal, and hold it to the contract that all refusals have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = Problem.model_validate(answer.json())
    assert (body.status, body.code) == (status, code)
    assert body.detail
    assert body.fix
    if status in {429, 503}:
        assert int(answer.headers["retry-after"]) >= 1
    return body


@pytest.fixture
async def browser(lab_server: LabServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=lab_server.base_url, trust_env=False, timeout=30
    ) as client:
        yield client


@pytest.mark.parametrize(
    "endpoint", [e for e in ENDPOINTS if not e.public], ids=lambda e: f"{e.method} {e.path}"
)
async def test_nobody_gets_nothing(browser: httpx.AsyncClient, endpoint: object) -> None:
    path = re.sub(r"{\w+_id}", str(uuid4()), endpoint.path)  # type: ignore[attr-defined]
    path = path.format(id_or_name="demo", namespace="default", pod="web")
    for headers in ({}, {"Authorization": "Bearer pyk8s_wrong"}, {"Cookie": "pyk8s_session=wrong"}):
        answer = await browser.request(endpoint.method, path, headers=headers)  # type: ignore[attr-defined]
        problem(answer, 401, "unauthenticated")


async def test_what_belongs_to_others_is_not_there(ann: Caller, bob: Caller) -> None:
    """Byte for byte the same answer as for what never was."""
    cluster = await ann.create(name="secret")
    unknown = str(uuid4())
    for method, tail in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/events"),
        ("GET", "/log"),
        ("GET", "/kubeconfig"),
    ):
        for wanted in (cluster["id"], "secret"):
            theirs = await bob.http.request(method, f"/api/v1/clusters/{wanted}{tail}")
            nobodys = await bob.http.request(method, f"/api/v1/clusters/{unknown}{tail}")
            problem(theirs, 404, "not_found")
            assert theirs.content == nobodys.content
    assert (await bob.http.get("/api/v1/clusters")).json()["items"] == []
    assert (await ann.http.get("/api/v1/clusters/secret")).status_code == 200


async def test_a_token_does_what_its_scopes_say(ann: Caller, lab_server: LabServer) -> None:
    wish = {"name": "reader", "scopes": ["clusters:read"], "expires_in_seconds": 60}
    made = (await ann.http.post("/api/v1/tokens", json=wish)).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    async with httpx.AsyncClient(base_url=lab_server.base_url, headers=headers) as reader:
        assert (await reader.get("/api/v1/clusters")).status_code == 200
        problem(await reader.post("/api/v1/clusters", json={}), 403, "forbidden")
        more = {"name": "more", "scopes": ["clusters:write"]}
        problem(await reader.post("/api/v1/tokens", json=more), 403, "forbidden")
        listed = (await ann.http.get("/api/v1/tokens")).json()["items"]
        assert made["id"] in [token["id"] for token in listed]
        assert made["token"] not in str(listed)
        assert (await ann.http.delete(f"/api/v1/tokens/{made['id']}")).status_code == 204
        problem(await reader.get("/api/v1/clusters"), 401, "unauthenticated")
    problem(await ann.http.delete(f"/api/v1/tokens/{made['id']}"), 404, "not_found")
    problem(await ann.http.delete("/api/v1/tokens/x"), 404, "not_found")


async def test_the_first_user_is_admin_and_names_have_no_case(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/api/v1/server")).json()["is_empty"] is True
    first = await browser.post("/api/v1/auth/register", json={**ACCOUNT, "username": "Carol"})
    assert first.json()["user"]["is_admin"] is True
    assert first.json()["user"]["username"] == "carol"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    taken = await browser.post("/api/v1/auth/register", json={**ACCOUNT, "username": "CAROL"})
    problem(taken, 409, "username_taken")
    second = await browser.post("/api/v1/auth/register", json={**ACCOUNT, "username": "dave"})
    assert second.json()["user"]["is_admin"] is False
    assert (await browser.get("/api/v1/server")).json()["is_empty"] is False


async def test_sign_in_and_out(browser: httpx.AsyncClient) -> None:
    await browser.post("/api/v1/auth/register", json=ACCOUNT)
    session = browser.cookies["pyk8s_session"]
    assert (await browser.get("/api/v1/auth/me")).json()["user"]["username"] == "carol"
    assert (await browser.post("/api/v1/auth/logout")).status_code == 204
    old = {"Cookie": f"pyk8s_session={session}"}
    problem(await browser.get("/api/v1/auth/me", headers=old), 401, "unauthenticated")
    wrong = {**ACCOUNT, "password": "wrong horse"}
    unknown = {**ACCOUNT, "username": "nobody"}
    first = await browser.post("/api/v1/auth/login", json=wrong)
    second = await browser.post("/api/v1/auth/login", json=unknown)
    problem(first, 401, "wrong_credentials")
    assert first.content == second.content
    again = await browser.post("/api/v1/auth/login", json=ACCOUNT)
    assert again.status_code == 200
    assert browser.cookies["pyk8s_session"] != session
    for _ in range(5):
        problem(await browser.post("/api/v1/auth/login", json=wrong), 401, "wrong_credentials")
    problem(await browser.post("/api/v1/auth/login", json=ACCOUNT), 429, "too_many_attempts")


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:1"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "SELF"}, True),
        ({"Origin": "SELF.evil.example"}, False),
    ],
)
async def test_only_our_own_pages_act_with_the_cookie(
    browser: httpx.AsyncClient, lab_server: LabServer, headers: dict[str, str], allowed: bool
) -> None:
    await browser.post("/api/v1/auth/register", json=ACCOUNT)
    sent = {k: v.replace("SELF", lab_server.origin) for k, v in headers.items()}
    answer = await browser.post("/api/v1/clusters", json={}, headers=sent)
    if allowed:
        assert answer.status_code == 202
    else:
        problem(answer, 403, "cross_origin")
    assert (await browser.get("/api/v1/clusters", headers=sent)).status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"name": "Bad_Name"}, "validation", "name"),
        ({"name": "-h"}, "validation", "name"),
        ({"name": "a" * 33}, "validation", "name"),
        ({"workers": 99}, "validation", "workers"),
        ({"workers": "two"}, "validation", "workers"),
        ({"ttl_seconds": 5}, "validation", "ttl_seconds"),
        ({"ttl_seconds": 7 * 24 * 3600}, "validation", "ttl_seconds"),
        ({"colour": "blue"}, "validation", "colour"),
        ({"labels": {"../x": "y"}}, "validation", "labels.../x.[key]"),
        ({"template": "huge"}, "template_unknown", "template"),
        ({"kubernetes_version": "1.2.3"}, "version_unknown", "kubernetes_version"),
    ],
)
async def test_bad_input_names_the_field(
    ann: Caller, body: dict[str, object], code: str, field: str
) -> None:
    refusal = problem(await ann.http.post("/api/v1/clusters", json=body), 422, code)
    assert refusal.errors is not None
    assert [error.field for error in refusal.errors] == [field]
    assert "Input should" not in refusal.detail, "said in pydantic's words, not in ours"


async def test_bodies_that_are_none(ann: Caller) -> None:
    url = "/api/v1/clusters"
    problem(await ann.http.post(url, content=b"name=x"), 415, "unsupported_media_type")
    problem(await ann.http.post(url, content=b"{", headers=JSON), 422, "validation")
    problem(await ann.http.post(url, content=b"\xff\xfe", headers=JSON), 422, "validation")
    big = b'{"name":"' + b"x" * 100_000 + b'"}'
    problem(await ann.http.post(url, content=big, headers=JSON), 413, "too_large")
    problem(await ann.http.get(url, params={"limit": "0"}), 422, "validation")
    problem(await ann.http.get(url, params={"colour": "x"}), 422, "validation")
    problem(await ann.http.get(url, params={"cursor": "x"}), 422, "validation")
    problem(await ann.http.get(url, params={"label": "x"}), 422, "validation")
    problem(await ann.http.get("/api/v1/nothing"), 404, "not_found")
    refused = await ann.http.put(url)
    problem(refused, 405, "method_not_allowed")
    assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_a_password_is_never_told_back(browser: httpx.AsyncClient) -> None:
    answer = await browser.post(
        "/api/v1/auth/register", json={"username": "x y", "password": "hunter2"}
    )
    problem(answer, 422, "validation")
    assert "hunter2" not in answer.text
    assert "password: at least 8 characters" in answer.text


async def test_the_same_key_has_one_effect(ann: Caller) -> None:
    key = {"Idempotency-Key": "one"}
    asks = [ann.http.post("/api/v1/clusters", json={}, headers=key) for _ in range(20)]
    answers = await asyncio.gather(*asks)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert len((await ann.http.get("/api/v1/clusters")).json()["items"]) == 1
    other = await ann.http.post("/api/v1/clusters", json={"workers": 1}, headers=key)
    problem(other, 422, "idempotency_key_reused")


async def test_names_and_quota_hold_under_a_race(ann: Caller) -> None:
    same = await asyncio.gather(
        *(ann.http.post("/api/v1/clusters", json={"name": "demo"}) for _ in range(10))
    )
    assert sorted(answer.status_code for answer in same) == [202] + [409] * 9
    problem(next(a for a in same if a.status_code == 409), 409, "name_taken")
    rest = await asyncio.gather(*(ann.http.post("/api/v1/clusters", json={}) for _ in range(12)))
    assert sorted(answer.status_code for answer in rest) == [202] * 4 + [429] * 8
    problem(next(a for a in rest if a.status_code == 429), 429, "quota_exceeded")


async def test_pages_of_clusters(ann: Caller) -> None:
    made = [(await ann.create(labels={"branch": str(n)}))["id"] for n in range(5)]
    seen: list[str] = []
    url = "/api/v1/clusters?limit=2"
    while url:
        answer = await ann.http.get(url)
        seen += [cluster["id"] for cluster in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url", "")
    assert seen == made[::-1]
    found = (await ann.http.get("/api/v1/clusters", params={"label": "branch=3"})).json()["items"]
    assert [cluster["id"] for cluster in found] == [made[3]]


async def test_kubeconfig_before_ready(ann: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "hang"})
    answer = await ann.http.get(f"/api/v1/clusters/{cluster['id']}/kubeconfig")
    problem(answer, 409, "not_ready")


async def test_every_answer_has_the_headers(ann: Caller, browser: httpx.AsyncClient) -> None:
    for path in (
        "/healthz",
        "/api/v1/server",
        "/api/v1/nothing",
        "/docs",
        "/docs/stream",
        "/openapi.json",
    ):
        headers = (await browser.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        script = next((p for p in policy.split(";") if "script-src" in p), "")
        assert "unsafe" not in script
        assert "server" not in headers


async def test_ready_says_what_it_looked_at(browser: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        while (answer := await browser.get("/readyz?verbose")).status_code != 200:
            await asyncio.sleep(0.05)
    health = answer.json()
    assert health["driver"] == "simulated"
    assert {"postgresql", "clock", "provisioner"} <= {check["name"] for check in health["checks"]}


def test_a_clock_that_is_wrong_is_told() -> None:
    assert clock_check(4.9).ok
    for skew in (5.1, -5.1):
        wrong = clock_check(skew)
        assert (wrong.ok, wrong.required) == (False, True)
        assert "5.1 s" in wrong.detail
        assert wrong.fix


def test_a_certificate_that_ends_soon_is_told_and_keeps_nobody_out() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    well = certificate_check(now + timedelta(days=15), now)
    assert (well.ok, well.detail) == (True, "its certificate ends on 2026-12-14")
    soon = certificate_check(now + timedelta(days=13), now)
    assert (soon.ok, soon.required) == (False, False)
    assert soon.fix
    assert certificate_check(now - timedelta(days=1), now).detail.endswith("ended on 2026-11-28")


async def test_evidence_is_for_its_owner_until_the_cluster_is_deleted(
    ann: Caller, bob: Caller
) -> None:
    cluster = await ann.create(labels={"simulate": "fail-start"})
    url = f"/api/v1/clusters/{cluster['id']}/evidence"
    failed = await ann.until(cluster["id"], "failed")
    answer = await ann.http.get(url)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/gzip"
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert f"pyk8s-{cluster['name']}-evidence.tar.gz" in answer.headers["content-disposition"]
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        explained = tar.extractfile("evidence/explanation.txt")
        assert explained is not None
        assert failed["failure"]["cause"] in explained.read().decode()
    problem(await bob.http.get(url), 404, "not_found")
    await ann.http.delete(f"/api/v1/clusters/{cluster['id']}")
    await ann.until(cluster["id"], "deleted")
    problem(await ann.http.get(url), 404, "no_evidence")


async def test_a_create_is_tried_again_so_often_only(
    ann: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.commands.lifetime.MAX_TRIES", 3)
    cluster = await ann.create(labels={"simulate": "hang"})
    url = f"/api/v1/clusters/{cluster['id']}"
    for _ in range(2):
        assert (await ann.http.post(f"{url}/cancel")).status_code == 202
        assert (await ann.http.post(f"{url}/retry")).status_code == 202
    assert (await ann.http.post(f"{url}/cancel")).status_code == 202
    before = (await ann.http.get(url)).json()["last_seq"]
    refused = problem(await ann.http.post(f"{url}/retry"), 429, "quota_exceeded")
    assert "tried 3 times" in refused.detail
    assert "create a new one" in (refused.fix or "")
    after = (await ann.http.get(url)).json()
    assert after["phase"] == "failed"
    assert after["last_seq"] - before < 10  # at most what the cancelled create still says


async def test_a_create_is_cancelled_and_tried_again(ann: Caller, bob: Caller) -> None:
    cluster = await ann.create(labels={"simulate": "hang"})
    url = f"/api/v1/clusters/{cluster['id']}"
    problem(await bob.http.post(f"{url}/cancel"), 404, "not_found")
    problem(await bob.http.post(f"{url}/retry"), 404, "not_found")
    problem(await ann.http.post(f"{url}/retry"), 409, "phase_conflict")
    cancelled = await ann.http.post(f"{url}/cancel")
    assert cancelled.status_code == 202
    assert cancelled.json()["phase"] == "failed"
    assert cancelled.json()["failure"]["code"] == "cancelled"
    assert "ann" in cancelled.json()["failure"]["cause"]
    refused = problem(await ann.http.post(f"{url}/cancel"), 409, "phase_conflict")
    assert "failed" in refused.detail
    again = await ann.http.post(f"{url}/retry")
    assert again.status_code == 202
    assert again.json()["phase"] == "pending"
