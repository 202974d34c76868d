"""What passes between a browser and an app. Pure.

An app is a stranger in the house: it gets no cookie of ours, sets none that could be one, and is
told where it is seen by us and by nobody else.
"""

from collections.abc import Iterable
from typing import Final

from server.proxy.headers import named_in_connection
from server.proxy.refusals import Headers

OURS: Final = frozenset({b"pyk8s_app", b"pyk8s_session", b"__Host-pyk8s_session"})
"""Cookies that no app sees or sets."""

COOKIE: Final = b"pyk8s_app"

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
SAID_BY_US: Final = frozenset({b"content-length", b"expect", b"forwarded", b"host", b"x-real-ip"})
"""And whatever begins with `x-forwarded-`."""


def cookie_of(headers: Headers) -> str | None:
    """Give our cookie."""
    for name, value in headers:
        if name == b"cookie":
            for each in value.split(b";"):
                key, _, content = each.strip().partition(b"=")
                if key == COOKIE:
                    return content.decode("latin-1")
    return None


def towards_app(headers: Headers, *, scheme: str, upgrade: bool) -> Headers:
    """Give what the app gets."""
    dropped = HOP_BY_HOP | SAID_BY_US | (named_in_connection(headers) - {b"upgrade"})
    passed: Headers = []
    for name, value in headers:
        if name in dropped or name.startswith(b"x-forwarded-"):
            continue
        if name.startswith(b"sec-websocket-") and not upgrade:
            continue
        kept = _without_ours(value) if name == b"cookie" else value
        if kept:
            passed.append((name, kept))
    host = next((value for name, value in headers if name == b"host"), b"")
    return [*passed, (b"x-forwarded-host", host), (b"x-forwarded-proto", scheme.encode())]


def _without_ours(cookies: bytes) -> bytes:
    kept = [
        each
        for each in cookies.split(b";")
        if each.strip() and each.strip().partition(b"=")[0] not in OURS
    ]
    return b";".join(kept).strip()


def towards_browser(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Give what the browser gets. A cookie of an app is for its own host only."""
    headers = [(name.lower(), value) for name, value in headers]
    dropped = HOP_BY_HOP | {b"alt-svc", b"strict-transport-security"} | named_in_connection(headers)
    given: Headers = []
    for name, value in headers:
        if name in dropped:
            continue
        if name != b"set-cookie":
            given.append((name, value))
        elif value.partition(b"=")[0].strip() not in OURS:
            given.append((name, _for_own_host(value)))
    return given


def _for_own_host(cookie: bytes) -> bytes:
    parts = [part for part in cookie.split(b";") if not part.strip().lower().startswith(b"domain")]
    return b";".join(parts)
