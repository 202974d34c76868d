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
