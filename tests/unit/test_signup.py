"""Who else reaches a server, what a request shows of it, and the setup code."""

import stat
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from starlette.datastructures import Headers

from pyk8s.wire.hosts import is_loopback_host
from server.api.arrival import shows_others
from server.commands.setup_code import SetupCode
from server.config import Settings, load
from server.errors import StartFailed
from server.secrets import Sealer

ONE, OTHER = UUID(int=1), UUID(int=2)
COMPOSE_PAGE = {
    "host": "backend:8000",
    "x-forwarded-host": "localhost:3000",
    "origin": "http://localhost:3000",
}
"""What the page's container sends for a browser on the same machine."""
NAMED_BY_A_PROXY = {
    "cdn-loop": "cloudflare",
    "cf-connecting-ip": "8.8.8.8",
    "fastly-client-ip": "8.8.8.8",
    "forwarded": "for=8.8.8.8",
    "true-client-ip": "8.8.8.8",
    "via": "1.1 proxy",
    "x-client-ip": "8.8.8.8",
    "x-cluster-client-ip": "8.8.8.8",
    "x-envoy-external-address": "8.8.8.8",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
    "x-forwarded-server": "proxy",
    "x-forwarded-ssl": "on",
    "x-original-forwarded-for": "8.8.8.8",
    "x-original-host": "lab.example.org",
    "x-real-ip": "127.0.0.1",
}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("web.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("0.0.0.0", False),
        ("10.0.0.5", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_what_is_this_machine(host: str, expected: bool) -> None:
    assert is_loopback_host(host) is expected


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({}, None),
        ({"host": "0.0.0.0"}, "PYK8S_HOST"),
        ({"host": "0.0.0.0", "published_host": "127.0.0.1"}, None),
        ({"host": "0.0.0.0", "published_host": "10.0.0.5"}, "PYK8S_PUBLISHED_HOST"),
        ({"allowed_origins": "http://localhost:3000,http://127.0.0.1:3000,"}, None),
        (
            {"allowed_origins": "http://localhost:3000, https://lab.example.org"},
            "PYK8S_ALLOWED_ORIGINS",
        ),
        ({"secure_cookies": True}, "PYK8S_SECURE_COOKIES"),
        ({"proxy_url": "https://localhost:8443"}, None),
        ({"proxy_url": "https://lab.example.org:8443"}, "PYK8S_PROXY_URL"),
        ({"apps_url": "http://localhost:8444"}, None),
        ({"apps_url": "https://apps.example.org"}, "PYK8S_APPS_URL"),
    ],
)
def test_what_says_that_others_reach_the_server(
    settings: dict[str, object], variable: str | None
) -> None:
    reason = Settings(**settings).reached_by_others  # type: ignore[arg-type]
    assert reason is None if variable is None else str(reason).startswith(variable)


def test_open_has_to_be_said_twice_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYK8S_SIGNUP", "open")
    assert load().signup == "open", "on loopback once is enough"
    monkeypatch.setenv("PYK8S_ALLOWED_ORIGINS", "https://lab.example.org")
    with pytest.raises(StartFailed, match=r"PYK8S_ALLOWED_ORIGINS names https://lab\.example\.org"):
        load()
    monkeypatch.setenv("PYK8S_SIGNUP_PUBLIC_OK", "yes")
    assert load().signup == "open"


@pytest.mark.parametrize(
    ("headers", "is_in_container", "expected"),
    [
        ({"host": "localhost:8000"}, False, False),
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, False, False),
        ({"host": "[::1]:8000"}, False, False),
        ({}, False, False),
        ({"host": "lab.example.org"}, False, True),
        ({"host": "lab.example.org"}, True, True),
        ({"host": "10.0.0.5:8000"}, True, True),
        ({"host": "backend:8000"}, False, True),
        ({"host": "backend:8000"}, True, True),
        ({"host": "lab"}, True, True),
        ({"host": "lab:8000", "x-forwarded-host": "localhost:3000"}, True, True),
        ({"host": "localhost:8000", "x-forwarded-for": "8.8.8.8"}, False, True),
        ({"host": "localhost:8000", "x-forwarded-for": "127.0.0.1"}, False, True),
        ({"host": "localhost:8000", "forwarded": "for=8.8.8.8"}, False, True),
        ({"host": "localhost:8000", "via": "1.1 proxy"}, False, True),
        ({"host": "localhost:8000", "origin": "https://lab.example.org"}, False, True),
        ({"host": "localhost:8000", "x-forwarded-host": "localhost:3000"}, False, True),
        ({"host": "localhost:8000", "x-forwarded-host": "localhost:3000"}, True, True),
        ({"host": "localhost:8000", "origin": "http://["}, False, True),
        ({"host": "localhost:8000", "origin": "null"}, False, True),
        (COMPOSE_PAGE, True, False),
        (COMPOSE_PAGE, False, True),
        (COMPOSE_PAGE | {"x-forwarded-host": "lab.example.org"}, True, True),
        (COMPOSE_PAGE | {"x-forwarded-host": "[::1]:3000"}, True, False),
        (COMPOSE_PAGE | {"x-forwarded-host": "lab"}, True, True),
        (COMPOSE_PAGE | {"x-forwarded-host": "localhost, lab.example.org"}, True, True),
        (COMPOSE_PAGE | {"x-forwarded-host": ""}, True, True),
        (COMPOSE_PAGE | {"x-forwarded-for": "8.8.8.8"}, True, True),
        (COMPOSE_PAGE | {"x-forwarded-for": "192.168.1.50, 172.18.0.1"}, True, True),
        (COMPOSE_PAGE | {"x-forwarded-for": "8.8.8.8, 172.20.0.1"}, True, True),
        (COMPOSE_PAGE | {"host": "http://[:::"}, True, True),
    ],
)
def test_what_a_request_shows(
    headers: dict[str, str], is_in_container: bool, expected: bool
) -> None:
    settings = Settings(in_container=is_in_container, host_name="backend")
    assert shows_others(Headers(headers), page_host=settings.page_host) is expected


@pytest.mark.parametrize(("name", "value"), NAMED_BY_A_PROXY.items())
@pytest.mark.parametrize(
    ("headers", "in_container"),
    [({"host": "localhost:8000", "x-forwarded-host": "localhost"}, False), (COMPOSE_PAGE, True)],
)
def test_no_loopback_host_hides_a_proxy(
    headers: dict[str, str], in_container: bool, name: str, value: str
) -> None:
    """A stranger chooses X-Forwarded-Host; what their proxy adds to it still counts."""
    assert shows_others(
        Headers(headers | {name: value}), page_host="backend" if in_container else None
    )


def test_the_code_is_the_same_after_a_restart_and_another_elsewhere(tmp_path: Path) -> None:
    sealer = Sealer(Fernet.generate_key())
    code = SetupCode(sealer, ONE, tmp_path)
    assert SetupCode(sealer, ONE, tmp_path).text == code.text
    assert SetupCode(sealer, OTHER, tmp_path).text != code.text
    assert SetupCode(Sealer(Fernet.generate_key()), ONE, tmp_path).text != code.text
    assert len(code.text.replace("-", "")) == 20


def test_the_code_is_recognised_as_people_write_it(tmp_path: Path) -> None:
    code = SetupCode(Sealer(Fernet.generate_key()), ONE, tmp_path)
    assert code.matches(code.text)
    assert code.matches(f"  {code.text.lower().replace('-', ' ')}\n")
    assert code.matches(code.text.replace("O", "0").replace("I", "1").replace("B", "8"))
    for wrong in ("", code.text[:-1], code.text + "A", "ABCDE-FGHIJ-KLMNO-PQRST", "ä" * 20):
        assert not code.matches(wrong)


def test_the_file_is_for_the_server_alone(tmp_path: Path) -> None:
    code = SetupCode(Sealer(Fernet.generate_key()), ONE, tmp_path)
    path = tmp_path / "setup-code"
    path.write_text("old")
    path.chmod(0o644)
    code.keep()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == f"{code.text}\n"
    code.forget()
    code.forget()
    assert not path.exists()
