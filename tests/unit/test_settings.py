"""What settings refuse, and what they mean."""

import pytest
from pydantic import ValidationError

from server.config import Settings


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("docker.io", {"docker.io": "https://registry-1.docker.io"}),
        ("off", {}),
        ("", {}),
        (
            "ghcr.io, localhost:5001=http://10.0.0.1:5001",
            {"ghcr.io": "https://ghcr.io", "localhost:5001": "http://10.0.0.1:5001"},
        ),
    ],
)
def test_the_registries_that_are_cached(given: str, wanted: dict[str, str]) -> None:
    assert Settings(image_cache=given).cached_registries == wanted


@pytest.mark.parametrize(
    "given", ["Docker.io", "docker.io=ftp://x", "../x", 'a"b', "docker.io=http://x/\nevil", "a/b"]
)
def test_what_is_no_registry_never_gets_into_a_node(given: str) -> None:
    with pytest.raises(ValidationError, match="REGISTRY"):
        Settings(image_cache=given)


@pytest.mark.parametrize(
    "given", ["https://192.0.2.7:8444", "http://[::1]:8444", "apps.example.org", "https://x/y"]
)
def test_where_apps_could_not_have_names(given: str) -> None:
    with pytest.raises(ValidationError, match="apps_url"):
        Settings(apps_url=given)


def test_where_apps_are() -> None:
    assert Settings(apps_url="https://Apps.example.org/").apps_at == "https://apps.example.org"
