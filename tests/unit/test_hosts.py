"""Which hosts the server answers for, and how origins are read from a setting."""

import pytest
from pydantic import ValidationError

from server.api.hosts import AllowedHosts
from server.config import Settings

LAPTOP: dict[str, object] = {}
COMPOSE: dict[str, object] = {
    "host": "0.0.0.0",
    "published_host": "127.0.0.1",
    "host_name": "backend",
    "in_container": True,
    "allowed_origins": "http://localhost:3000,http://127.0.0.1:3000,",
    "proxy_url": "https://localhost:8443",
    "apps_url": "http://localhost:8444",
}
LAN: dict[str, object] = {"host": "0.0.0.0", "host_name": "Desk"}
PROXIED: dict[str, object] = {
    "allowed_origins": "https://lab.example.org, http://old.example.org:8080",
    "proxy_url": "https://kube.example.org:8443",
    "apps_url": "https://apps.example.org",
}


@pytest.mark.parametrize(
    ("settings", "host", "expected"),
    [
        (LAPTOP, "localhost:8000", True),
        (LAPTOP, "LOCALHOST", True),
        (LAPTOP, "localhost.:8000", True),
        (LAPTOP, "lab.localhost:8000", True),
        (LAPTOP, "127.0.0.1:8000", True),
        (LAPTOP, "[::1]:8000", True),
        (LAPTOP, "192.168.1.5:8000", True),
        (LAPTOP, "[fd00::5]:8000", True),
        (LAPTOP, "host.docker.internal:8000", True),
        (LAPTOP, "evil.example:8000", False),
        (LAPTOP, "localhost.evil.example", False),
        (LAPTOP, "127.0.0.1.evil.example", False),
        (LAPTOP, "127.0.0.1@evil.example", False),
        (LAPTOP, "backend:8000", False),
        (LAPTOP, "lab.example.org", False),
        (LAPTOP, "2130706433", False),
        (LAPTOP, "", False),
        (LAPTOP, ":8000", False),
        (LAPTOP, "[evil.example]", False),
        (COMPOSE, "backend:8000", True),
        (COMPOSE, "another-name", True),
        (COMPOSE, "localhost:3000", True),
        (COMPOSE, "evil.example", False),
        (LAN, "desk:8000", True),
        (LAN, "desk.local", True),
        (LAN, "desk.evil.example", False),
        (LAN, "0.0.0.0:8000", True),
        ({"host": "lab.lan"}, "lab.lan:8000", True),
        (PROXIED, "lab.example.org", True),
        (PROXIED, "Lab.Example.org.:443", True),
        (PROXIED, "old.example.org:8080", True),
        (PROXIED, "kube.example.org", True),
        (PROXIED, "apps.example.org", True),
        (PROXIED, "web-1a2b.apps.example.org", False),
        (PROXIED, "example.org", False),
        ({"allowed_hosts": "a.example.org, b.example.org"}, "B.example.org:1", True),
        ({"allowed_hosts": "a.example.org, b.example.org"}, "c.example.org", False),
        ({"allowed_hosts": "*"}, "anything.example", True),
    ],
)
def test_which_hosts_are_ours(settings: dict[str, object], host: str, expected: bool) -> None:
    hosts = AllowedHosts(Settings(**settings))  # type: ignore[arg-type]
    assert hosts.answers_for([host]) is expected


def test_a_request_without_a_host_is_answered() -> None:
    assert AllowedHosts(Settings()).answers_for([])
    assert not AllowedHosts(Settings()).answers_for(["localhost", "evil.example"])


@pytest.mark.parametrize(
    ("host", "forwarded", "expected"),
    [
        ("backend:8000", ["localhost:3000"], True),
        ("backend:8000", ["192.168.1.5:3000"], True),
        ("backend:8000", ["evil.example:3000"], False),
        ("backend:8000", ["localhost, evil.example"], False),
        ("backend:8000", ["localhost", "evil.example"], False),
        ("backend:8000", ["another:3000"], False),
        ("localhost:8000", ["whatever.example"], True),
    ],
)
def test_the_pages_container_does_not_hide_for_which_host_it_asks(
    host: str, forwarded: list[str], expected: bool
) -> None:
    hosts = AllowedHosts(Settings(**COMPOSE))  # type: ignore[arg-type]
    assert hosts.answers_for([host], forwarded) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ()),
        (" , ", ()),
        ("https://lab.example.org/", ("https://lab.example.org",)),
        ("HTTPS://Lab.Example.org:443", ("https://lab.example.org",)),
        ("http://[FD00::1]:80,http://a:81", ("http://[fd00::1]", "http://a:81")),
    ],
)
def test_origins_have_the_spelling_of_browsers(given: str, expected: tuple[str, ...]) -> None:
    assert Settings(allowed_origins=given).named_origins == expected


@pytest.mark.parametrize(
    "given",
    ["lab.example.org", "*", "https://*.example.org", "null", "https://a/path", "ftp://a",
     "https://user@a", "https://a:port", "http://[", "https://"],
)  # fmt: skip
def test_what_is_no_origin_is_refused_with_the_way_out(given: str) -> None:
    with pytest.raises(ValidationError, match=r"is no origin: write http:// or https://"):
        Settings(allowed_origins=given)
