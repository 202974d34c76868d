import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from pyk8s import Lab, Unreachable
from pyk8s.client.config import Config, Login, load, save
from tests.unit.client.scripted import AT, CLUSTER_ID, Pauses

USER = {"id": CLUSTER_ID, "username": "ada", "is_admin": True, "created_at": AT}
ME = {
    "user": USER,
    "scopes": ["clusters:read", "access"],
    "quota": {"clusters": 3, "max_ttl_seconds": 3600},
    "usage": {"clusters": 0},
}
TOKEN = {
    "id": "01900000-0000-7000-8000-000000000009",
    "name": "cli@here",
    "scopes": ["clusters:read", "access"],
    "created_at": AT,
    "expires_at": None,
    "last_used_at": None,
    "token": "pyk8s_new",
}
URL = "http://127.0.0.1:8000"


class Api:
    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        match request.method, request.url.path.removeprefix("/api/v1"):
            case "POST", "/auth/login" | "/auth/register":
                cookie = {"set-cookie": "pyk8s_session=s; HttpOnly; SameSite=Strict; Path=/"}
                return httpx.Response(200, json={"user": USER}, headers=cookie)
            case "GET", "/auth/me":
                return httpx.Response(200, json=ME)
            case "POST", "/tokens":
                return httpx.Response(201, json=TOKEN)
            case _:
                return httpx.Response(204)

    def said(self) -> list[str]:
        return [f"{r.method} {r.url.path.removeprefix('/api/v1')}" for r in self.requests]


def lab(api: Callable[[httpx.Request], httpx.Response], pauses: Pauses, path: Path) -> Lab:
    transport = httpx.MockTransport(api)
    return Lab(URL, backoff=pauses.backoff(), transport=transport, environ={}, config_path=path)


async def test_a_login_makes_a_token_for_this_machine_and_keeps_it(
    pauses: Pauses, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    api = Api()
    async with lab(api, pauses, path) as subject:
        assert await subject.login("ada", "secret words", device="cli@here") == "ada"
        await subject.me()
    assert api.said() == [
        "POST /auth/login",
        "GET /auth/me",
        "POST /tokens",
        "POST /auth/logout",
        "GET /auth/me",
    ]
    login, me, tokens, logout, later = api.requests
    assert json.loads(login.content) == {"username": "ada", "password": "secret words"}
    assert json.loads(tokens.content) == {
        "name": "cli@here",
        "scopes": ["clusters:read", "access"],
    }
    assert me.headers["Cookie"] == "pyk8s_session=s"
    assert tokens.headers["Origin"] == logout.headers["Origin"] == URL
    assert later.headers["Authorization"] == "Bearer pyk8s_new"
    assert "Cookie" not in later.headers
    kept = load(path)
    assert kept.current == URL
    assert kept.logins[URL] == Login("ada", "pyk8s_new", str(TOKEN["id"]))
    assert "secret words" not in path.read_text()


async def test_a_second_login_revokes_the_token_of_the_first(
    pauses: Pauses, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    save(path, Config(URL, {URL: Login("ada", "pyk8s_old", "old-id")}))
    api = Api()
    async with lab(api, pauses, path) as subject:
        await subject.register("ada", "secret words")
    revoked = api.requests[-1]
    assert (revoked.method, revoked.url.path) == ("DELETE", "/api/v1/tokens/old-id")
    assert revoked.headers["Authorization"] == "Bearer pyk8s_old"
    assert "Authorization" not in api.requests[0].headers


async def test_a_logout_revokes_and_forgets(pauses: Pauses, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    save(path, Config(URL, {URL: Login("ada", "pyk8s_old", "old-id")}))
    api = Api()
    async with lab(api, pauses, path) as subject:
        assert await subject.logout() == "ada"
        assert await subject.logout() is None
    assert api.said() == ["DELETE /tokens/old-id"]
    assert load(path).logins == {}


async def test_a_logout_without_the_server_forgets_and_says_that_the_token_works(
    pauses: Pauses, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    save(path, Config(URL, {URL: Login("ada", "pyk8s_old", "old-id")}))

    def api(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    async with lab(api, pauses, path) as subject:
        with pytest.raises(Unreachable):
            await subject.logout()
    assert load(path).logins == {}
