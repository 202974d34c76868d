"""What passes between a browser and an app. Pure.

An app is a stranger in the house: it gets no cookie of ours, sets none that could be one, and is
told where it is seen by us and by nobody else.
"""

from collections.abc import Iterable
from typing import Final

from server.proxy.headers import named_in_connection
from server.proxy.refusals import Headers

COOKIE: Final = b"pyk8s_app"
SECURE_COOKIE: Final = b"__Host-pyk8s_app"
"""Under https: no page of a neighbouring host can set one of this name."""

OURS: Final = frozenset({COOKIE, SECURE_COOKIE}) | {
    prefix + name for prefix in (b"", b"__Host-") for name in (b"pyk8s_session", b"pyk8s_device")
}
"""Cookies that no app sees or sets."""

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


FOR_A_DOMAIN: Final = frozenset({b"alt-svc", b"clear-site-data", b"strict-transport-security"})
"""Of an answer: what would count beyond the app. The second signs people out of neighbours."""


def is_from_elsewhere(method: str, headers: Headers) -> bool:
    """Tell whether a page of another origin asks, in a way that is no person following a link.

    Neighbouring apps are one site to a browser where they share a domain, so it sends the cookie
    with their requests: SameSite does not keep one app's pages out of another app.
    """
    said = dict(headers)
    site = said.get(b"sec-fetch-site")
    if site is None:  # no browser, an old one, or plain http
        origin = said.get(b"origin")
        return origin is not None and origin.rpartition(b"/")[2] != said.get(b"host")
    if site in {b"same-origin", b"none"}:
        return False
    is_followed = (
        said.get(b"sec-fetch-mode") == b"navigate" and said.get(b"sec-fetch-dest") == b"document"
    )
    return not (is_followed and method in {"GET", "HEAD"})


def towards_app(headers: Headers, *, scheme: str, upgrade: bool) -> Headers:
    """Give what the app gets."""
    dropped = HOP_BY_HOP | SAID_BY_US | (named_in_connection(headers) - {b"upgrade"})
    passed: Headers = []
    for name, value in headers:
        # CGI and WSGI give an app both spellings under one name.
        said = name.replace(b"_", b"-")
        if name in dropped or said in SAID_BY_US or said.startswith(b"x-forwarded-"):
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
    dropped = HOP_BY_HOP | FOR_A_DOMAIN | named_in_connection(headers)
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
