"""The built page as the server gives it: policies, addresses with a parameter, files, 404."""

import base64
import hashlib
from pathlib import Path

import httpx
import pytest

from server.config import Settings
from tests.integration.conftest import serving

SCRIPT = "window.started = true"
HTML = f"<html><script>{SCRIPT}</script><script src='/x.js'></script><p>{{}}</p></html>"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A small export of the same form as the real one."""
    folder = tmp_path / "out"
    for name in ("index", "login", "clusters/_", "404"):
        file = folder / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HTML.format(name))
    hashed = folder / "_next" / "static" / "chunk-1234.js"
    hashed.parent.mkdir(parents=True)
    hashed.write_text("//" + "x" * 5000)
    (folder / "icon.svg").write_text("<svg/>")
    (folder / ".sources").write_text("a fingerprint")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("")
    return folder


async def test_pages_and_files(settings: Settings, built: Path) -> None:
    with_page = settings.model_copy(update={"ui_dir": built})
    async with (
        serving(with_page) as server,
        httpx.AsyncClient(base_url=server.base_url, trust_env=False) as browser,
    ):
        for path, name in (
            ("/", "index"),
            ("/login", "login"),
            ("/clusters/0190-any-id", "clusters/_"),
        ):
            page = await browser.get(path)
            assert page.status_code == 200
            assert f"<p>{name}</p>" in page.text
            digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
            policy = page.headers["content-security-policy"]
            assert f"script-src 'self' 'sha256-{digest}'" in policy
            assert page.headers["cache-control"] == "no-cache"
        chunk = await browser.get("/_next/static/chunk-1234.js")
        assert "immutable" in chunk.headers["cache-control"]
        assert chunk.headers["content-encoding"] == "gzip"
        assert (await browser.get("/icon.svg")).headers["cache-control"] == "no-cache"
        refused = await browser.get("/api/v1/nowhere", headers={"Accept": "text/html"})
        assert refused.status_code == 404
        assert refused.headers["content-type"] == "application/problem+json"
        missing = await browser.get("/nowhere", headers={"Accept": "text/html"})
        assert missing.status_code == 404
        assert "<p>404</p>" in missing.text
        hidden = ("/.sources", "/%2esources", "/.git/config", "/_next/../.sources")
        outside = ("/../pyproject.toml", "/%2e%2e/pyproject.toml")
        for path in ("/nowhere", "/api/v1/nowhere", *outside, *hidden):
            refused = await browser.get(path)
            assert refused.status_code == 404
            assert refused.json()["code"] == "not_found"
        refused = await browser.put("/api/v1/clusters")
        assert refused.headers["allow"].split(", ")[0] in {"GET", "HEAD", "POST"}
        assert "POST" in refused.headers["allow"]


async def test_a_slash_at_the_end_leads_to_the_path_alone(settings: Settings, built: Path) -> None:
    """Whatever host a client names, and whoever ends its TLS."""
    with_page = settings.model_copy(update={"ui_dir": built})
    async with (
        serving(with_page) as server,
        httpx.AsyncClient(base_url=server.base_url, trust_env=False) as browser,
    ):
        for path, location in {
            "/login/": "/login",
            "/clusters/a%20b/?tab=log&x=%2F": "/clusters/a%20b?tab=log&x=%2F",
            "/api/v1/clusters/": "/api/v1/clusters",
            "/login//": "/login",
        }.items():
            answer = await browser.get(path, headers={"Host": "elsewhere.localhost"})
            assert answer.status_code == 307, path
            assert answer.headers["location"] == location
        for path in ("//elsewhere.example/", "//elsewhere.example//", "/nowhere/", "//"):
            answer = await browser.get(f"{server.base_url}{path}")
            assert answer.status_code == 404, path
