"""PYK8S_DATABASE_URL: what it may ask for, and what is refused before anything connects."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from server.config import Settings
from server.config.database_url import Tls, parse

URL = "postgresql://lab:p%40ss@db.example.org:5433/lab"


@pytest.mark.parametrize(
    ("query", "tls"),
    [
        ("", Tls()),
        ("?sslmode=require", Tls("require")),
        ("?sslmode=verify-full&sslrootcert=/etc/ca.pem", Tls("verify-full", Path("/etc/ca.pem"))),
        ("?sslmode=verify-ca&sslrootcert=system", Tls("verify-ca")),
        (
            "?sslmode=require&sslcert=/c.pem&sslkey=/k.pem",
            Tls("require", None, Path("/c.pem"), Path("/k.pem")),
        ),
    ],
)
def test_tls_is_taken_out_of_the_address(query: str, tls: Tls) -> None:
    assert parse(URL + query).plain == URL
    assert parse(URL + query).tls == tls


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://pyk8s@/pyk8s?host=%2Ftmp%2Fa%20b&port=5432",
        "postgresql:///lab",
        "postgresql://a,b/lab",
        "postgresql://u@[::1]:5432/lab",
    ],
)
def test_other_addresses_stay_as_they_are(url: str) -> None:
    assert parse(url).plain == url
    assert parse(url.replace("postgresql:", "postgresql+asyncpg:")).plain == url


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("?sslmod=require", "a parameter that is not known; known are sslmode,"),
        ("?sslmode=verify", "another sslmode than disable,"),
        ("?sslmode=verify-full", "no authority to verify against: say sslrootcert=FILE"),
        ("?sslrootcert=/ca.pem", "verifies nothing: say sslmode=verify-full"),
        ("?sslmode=require&sslrootcert=/ca.pem", "verifies nothing: say sslmode=verify-full"),
        ("?sslmode=require&sslcert=/c.pem", "sslcert and sslkey; they belong together"),
        ("?sslcert=/c.pem&sslkey=/k.pem", "does not ask for TLS"),
    ],
)
def test_what_would_not_protect_is_refused_in_words(query: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(database_url=SecretStr(URL + query))
    assert told in str(refused.value)
    assert "p%40ss" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://lab:xyzzy?sesame@db/lab?sslmode=verify-full&sslrootcert=system",
        "postgresql://lab:xyzzy?sesame",
        "postgresql://lab:xyzzy?sslmode=sesame@db/lab",
        "postgresql://lab:xyzzy?sslmode=sesame",
        "postgresql://lab:xyzzy?host=sesame@db/lab",
        "postgresql://lab:xyzzy#sesame@db/lab?sslmode=verify-full&sslrootcert=system",
        "postgresql://lab:xyzzy@db/lab?sslmode=require#sesame",
        "postgresql://lab:xyzzy/sesame@db/lab",
        "postgresql://lab:xyzzy[sesame@db/lab",
        "postgresql://lab:xyzzy]sesame@db/lab",
        "postgresql://lab@db:sesame/lab",
        "sesame://lab:xyzzy@db/lab",
        "sesame",
    ],
)
def test_no_part_of_a_password_that_is_not_encoded_is_told(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(database_url=SecretStr(url))
    assert "sesame" not in str(refused.value)
    assert "xyzzy" not in str(refused.value)
    if url.startswith("postgresql:"):
        assert "%23" in str(refused.value) or "sslmode" in str(refused.value)
    with pytest.raises(ValueError, match="has ") as raised:
        parse(url)
    assert raised.value.__cause__ is None


def test_an_encoded_password_stays_as_it_is() -> None:
    url = "postgresql://lab:%23%3F%40%2F%25@db/lab"
    assert parse(f"{url}?sslmode=require").plain == url
