"""Other hosts are refused, and pages of named origins use the API: requests, SSE, WebSocket."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from server.config import Settings
from tests.integration.conftest import LabServer, serving, sign_up
from tests.integration.test_api import problem

NAMED = "https://portal.example.org"
EVIL = "https://evil.example"
ACCOUNT = {"username": "carol", "password": "correct horse battery"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with one named origin."""
    return settings.model_copy(update={"allowed_origins": NAMED, "signup_public_ok": "yes"})


@pytest.fixture
async def page(lab_server: LabServer) -> AsyncIterator[httpx.AsyncClient]:
    """A page of the named origin."""
    async with httpx.AsyncClient(
        base_url=lab_server.base_url, headers={"Origin": NAMED}, trust_env=False, timeout=30
    ) as client:
        yield client


async def test_a_request_for_another_host_is_refused_before_anything_reads_it(
    lab_server: LabServer,
) -> None:
    async with httpx.AsyncClient(base_url=lab_server.base_url, trust_env=False) as http:
        rebound = {"Host": f"evil.example:{lab_server.state['settings'].port}"}
        for method, path in (
            ("GET", "/api/v1/server"),
            ("POST", "/api/v1/auth/register"),
            ("OPTIONS", "/api/v1/clusters"),
            ("GET", "/metrics"),
            ("GET", "/docs"),
            ("GET", "/api/v1/stream"),
        ):
            refused = await http.request(method, path, headers=rebound)
            told = problem(refused, 421, "host_unknown")
            assert "PYK8S_ALLOWED_ORIGINS" in (told.fix or "")
            assert "PYK8S_ALLOWED_HOSTS" in (told.fix or "")
            assert refused.headers["x-content-type-options"] == "nosniff"
        assert (await http.get("/healthz", headers=rebound)).status_code == 200
        named = {"Host": "portal.example.org"}
        assert (await http.get("/api/v1/server", headers=named)).status_code == 200
    port = lab_server.state["settings"].port
    address = f"ws://evil.example:{port}/api/v1/stream"
    with pytest.raises(InvalidStatus) as refusal:
        await connect(address, host="127.0.0.1", port=port, proxy=None)
    assert refusal.value.response.status_code == 421


async def test_preflights_are_answered_for_named_origins_only(page: httpx.AsyncClient) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    told = await page.options("/api/v1/clusters", headers=asked)
    assert told.status_code == 200
    assert told.headers["access-control-allow-origin"] == NAMED
    assert "POST" in told.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in told.headers
    assert "Origin" in told.headers["vary"]
    for origin in (EVIL, "null", f"{NAMED}.evil.example", "http://portal.example.org"):
        answer = await page.options("/api/v1/clusters", headers={**asked, "Origin": origin})
        assert "PYK8S_ALLOWED_ORIGINS" in (problem(answer, 403, "cross_origin").fix or "")
        assert "access-control-allow-origin" not in answer.headers
    for wrong in (
        {"Access-Control-Request-Method": "PATCH"},
        {**asked, "Access-Control-Request-Headers": "x-anything"},
    ):
        told = await page.options("/api/v1/clusters", headers=wrong)
        assert "Idempotency-Key" in (problem(told, 403, "cross_origin").fix or "")
    answer = await page.options("/api/v1/clusters")
    problem(answer, 405, "method_not_allowed")


async def test_a_page_of_a_named_origin_reads_answers_and_errors(
    page: httpx.AsyncClient, lab_server: LabServer
) -> None:
    ann = await sign_up(lab_server, "ann")
    await ann.http.aclose()
    token = {"Authorization": f"Bearer {ann.token}"}
    made = await page.post("/api/v1/clusters", json={"name": "demo"}, headers=token)
    assert made.status_code == 202

    for path, status in (
        ("/api/v1/clusters", 200),
        ("/api/v1/clusters/demo", 200),
        ("/api/v1/clusters/none", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/clusters?limit=0", 422),
        ("/openapi.json", 200),
    ):
        answer = await page.get(path, headers=token)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == NAMED
        assert "access-control-allow-credentials" not in answer.headers
        exposed = answer.headers["access-control-expose-headers"]
        for name in ("Link", "Retry-After", "RateLimit", "ETag", "Location"):
            assert name in exposed
        assert "Origin" in answer.headers["vary"]
        strange = await page.get(path, headers={**token, "Origin": EVIL})
        assert "access-control-allow-origin" not in strange.headers
        assert "Origin" in strange.headers["vary"]
    nobody = await page.get("/api/v1/clusters")
    problem(nobody, 401, "unauthenticated")
    assert nobody.headers["access-control-allow-origin"] == NAMED


async def test_a_crash_is_told_to_a_page_too(
    page: httpx.AsyncClient, lab_server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash() -> None:
        raise RuntimeError

    monkeypatch.setattr(lab_server.state["readiness"], "get", crash)
    crashed = await page.get("/readyz")
    problem(crashed, 500, "internal")
    assert crashed.headers["access-control-allow-origin"] == NAMED
    assert crashed.headers["x-content-type-options"] == "nosniff"


async def test_sse_and_the_websocket_of_a_named_origin(
    page: httpx.AsyncClient, lab_server: LabServer
) -> None:
    ann = await sign_up(lab_server, "ann")
    cluster = await ann.create(name="demo")
    await ann.http.aclose()
    asked = {"Authorization": f"Bearer {ann.token}", "Accept": "text/event-stream"}
    path = f"/api/v1/clusters/{cluster['id']}/events"
    async with page.stream("GET", path, headers=asked) as answer:
        assert answer.headers["access-control-allow-origin"] == NAMED
        async for line in answer.aiter_lines():
            if line.startswith("id:"):
                break
    address = lab_server.base_url.replace("http", "ws") + "/api/v1/stream"
    await page.post("/api/v1/auth/register", json=ACCOUNT)
    cookie = f"pyk8s_session={page.cookies['pyk8s_session']}"
    for origin, credential, is_allowed in (
        (NAMED, {"Cookie": cookie}, True),
        (NAMED, {"Authorization": f"Bearer {ann.token}"}, True),
        (EVIL, {"Cookie": cookie}, False),
    ):
        opening = connect(
            address,
            origin=Origin(origin),
            subprotocols=[Subprotocol("pyk8s.v1")],
            additional_headers=credential,
            proxy=None,
        )
        if is_allowed:
            async with opening as socket:
                assert json.loads(await socket.recv())["type"] == "hello"
        else:
            with pytest.raises(InvalidStatus) as refusal:
                await opening
            assert refusal.value.response.status_code == 403


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Origin": EVIL}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://SELF"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://SELF"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://SELF.evil.example"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": NAMED}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://SELF"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://SELF"}, False),
    ],
)
async def test_both_headers_of_a_browser_have_to_agree(
    lab_server: LabServer, headers: dict[str, str], allowed: bool
) -> None:
    host = f"192.0.2.1:{lab_server.state['settings'].port}"
    sent = {name: value.replace("SELF", host) for name, value in headers.items()}
    async with httpx.AsyncClient(base_url=lab_server.base_url, trust_env=False) as http:
        code = lab_server.state["setup_code"].text
        answer = await http.post(
            "/api/v1/auth/register",
            json={**ACCOUNT, "setup_code": code},
            headers={**sent, "Host": host},
        )
    if allowed:
        assert answer.status_code == 201, answer.text
    else:
        problem(answer, 403, "cross_origin")


async def test_without_named_origins_there_is_no_cors(settings: Settings) -> None:
    nobody = settings.model_copy(update={"allowed_origins": ""})
    async with (
        serving(nobody) as server,
        httpx.AsyncClient(base_url=server.base_url, trust_env=False) as http,
    ):
        asked = {"Origin": server.origin, "Access-Control-Request-Method": "POST"}
        refused = await http.options("/api/v1/clusters", headers=asked)
        problem(refused, 405, "method_not_allowed")
        answer = await http.get("/api/v1/server", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control")]
