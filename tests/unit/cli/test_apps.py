import json
import webbrowser
from typing import Any

import httpx
import pytest

from tests.unit.cli.conftest import Cli
from tests.unit.client.scripted import cluster_document

ID = "01900000-0000-7000-8000-00000000000a"
OTHER_ID = "01900000-0000-7000-8000-00000000000b"
AT = "2026-01-02T03:04:05.000000Z"
LINK = "http://web-1a2b3c4d.localhost:8444/?pyk8s-link=secret"


def app_document(**changes: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "name": "web",
        "kind": "service",
        "namespace": "default",
        "target": "web",
        "port": 80,
        "url": "http://web-1a2b3c4d.localhost:8444",
        "created_at": AT,
        **changes,
    }


@pytest.fixture
def lab(cli: Cli) -> Cli:
    def api(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "DELETE":
            return httpx.Response(204)
        if path.endswith("/links"):
            return httpx.Response(201, json={"url": LINK, "expires_at": AT})
        if path.endswith("/apps") and request.method == "POST":
            return httpx.Response(201, json=app_document())
        if path.endswith("/apps"):
            other = app_document(id=OTHER_ID, name="db", url="http://db-0.localhost:8444")
            return httpx.Response(200, json={"items": [app_document(), other]})
        return httpx.Response(200, json=cluster_document(phase="ready"))

    cli.api = api
    return cli


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    urls: list[str] = []

    def note(url: str) -> bool:
        urls.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", note)
    return urls


def said(lab: Cli) -> Any:
    return json.loads(lab.requests[-1].content)


def test_publish_prints_the_url_and_how_to_open_it(lab: Cli) -> None:
    run = lab("apps", "publish", "demo", "web", "80")
    assert (run.code, run.out) == (0, "http://web-1a2b3c4d.localhost:8444\n")
    assert "It is private. Open it: pyk8s apps link demo web --open" in run.err
    assert said(lab) == {"target": "web", "port": 80, "kind": "service", "namespace": "default"}


def test_publish_a_pod_elsewhere_under_a_name(lab: Cli) -> None:
    assert (
        lab("apps", "publish", "demo", "web-0", "8080", "--pod", "-n", "x", "--as", "y").code == 0
    )
    asked = {"target": "web-0", "port": 8080, "kind": "pod", "namespace": "x", "name": "y"}
    assert said(lab) == asked


def test_publish_with_a_link(lab: Cli, opened: list[str]) -> None:
    run = lab("apps", "publish", "demo", "web", "80", "--link", "10m")
    assert run.out == f"{LINK}\n"
    assert said(lab) == {"expires_in_seconds": 600}
    assert not opened
    both = json.loads(lab("apps", "publish", "demo", "web", "80", "--open", "-o", "json").out)
    assert both == {**app_document(), "link": {"url": LINK, "expires_at": AT}}
    assert opened == [LINK]


def test_list(lab: Cli) -> None:
    run = lab("apps", "list", "demo")
    assert run.out.splitlines()[0].split()[:2] == ["NAME", "URL"]
    assert "service default/web:80" in run.out
    assert lab("apps", "list", "demo", "-q").out == "web\ndb\n"


@pytest.mark.parametrize("which", ["web", ID, "http://web-1a2b3c4d.localhost:8444"])
def test_an_app_is_found_by_name_id_or_url(lab: Cli, opened: list[str], which: str) -> None:
    assert lab("apps", "link", "demo", which, "--expires", "2h").out == f"{LINK}\n"
    assert said(lab) == {"expires_in_seconds": 7200}
    assert lab("apps", "end-links", "demo", which).code == 0
    assert lab.requests[-1].url.path.endswith(f"/apps/{ID}/links")
    assert lab("apps", "unpublish", "demo", which).code == 0
    assert lab.requests[-1].url.path.endswith(f"/apps/{ID}")


def test_an_app_that_is_not_there(lab: Cli) -> None:
    run = lab("apps", "link", "demo", "nothing")
    assert run.code == 3
    assert "no published app nothing in demo" in run.err
    assert "pyk8s apps list demo" in run.err


def test_a_name_that_two_have(lab: Cli) -> None:
    def api(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/apps"):
            both = [app_document(), app_document(id=OTHER_ID)]
            return httpx.Response(200, json={"items": both})
        return httpx.Response(200, json=cluster_document(phase="ready"))

    lab.api = api
    run = lab("apps", "unpublish", "demo", "web")
    assert run.code == 2
    assert "2 apps are called" in run.err
    assert [request.method for request in lab.requests] == ["GET", "GET"], "nothing was taken away"
