"""The command line against an API that is a function."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from pyk8s.cli.main import app
from pyk8s.cli.session import Session
from pyk8s.client.lab import Lab
from tests.unit.client.scripted import Pauses

URL = "http://127.0.0.1:1"
Api = Callable[[httpx.Request], httpx.Response]


@dataclass
class Run:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass
class Cli:
    """Runs commands; `api` answers their requests, `url` is where their stream is."""

    home: Path
    api: Api | None = None
    url: str = URL
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, *argv: str, stdin: str | None = None) -> Run:
        result = CliRunner().invoke(app, list(argv), input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Run(result.exit_code, result.stdout, result.stderr)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert self.api is not None, f"nobody answers {request.method} {request.url}"
        return self.api(request)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    home = tmp_path / "home"
    home.mkdir()
    for name in ("PYK8S_URL", "PYK8S_TOKEN", "KUBECONFIG", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    subject = Cli(home)

    def lab(session: Session) -> Lab:
        transport = httpx.MockTransport(subject.answer) if subject.api else None
        return Lab(session.url or subject.url, backoff=Pauses().backoff(), transport=transport)

    monkeypatch.setattr(Session, "lab", lab)
    return subject


def problem(status: int, code: str, **more: Any) -> httpx.Response:
    """An RFC 9457 answer."""
    body = {"type": "t", "title": "T", "status": status, "detail": f"About {code}.", "code": code}
    headers = {"content-type": "application/problem+json"}
    return httpx.Response(status, json={**body, **more}, headers=headers)
