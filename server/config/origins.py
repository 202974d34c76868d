"""Origins and host names that an operator names. Pure."""

from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def read_origins(text: str) -> tuple[str, ...]:
    """Return the origins of a list, each in the one spelling that browsers use (RFC 6454).

    Raises:
        ValueError: one is no origin; says what it has to look like.
    """
    return tuple(_origin(part.strip()) for part in text.split(",") if part.strip())


def _origin(given: str) -> str:
    problem = ValueError(
        f"{given[:100]!r} is no origin: write http:// or https://, a host and a port unless it is "
        "the usual one (https://lab.example.org)"
    )
    try:
        url = urlsplit(given.lower())
        host, port = url.hostname, url.port
    except ValueError:
        raise problem from None
    rest = url.path.rstrip("/") + url.query + url.fragment
    if url.scheme not in _DEFAULT_PORTS or not host or rest or "@" in url.netloc or "*" in host:
        raise problem
    shown = f"[{host}]" if ":" in host else host
    is_usual = port is None or port == _DEFAULT_PORTS[url.scheme]
    return f"{url.scheme}://{shown}" if is_usual else f"{url.scheme}://{shown}:{port}"


def host_of(url: str) -> str:
    """Return the host of a URL, in small letters, or an empty text."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
