"""Cookies of a request. Pure.

Starlette's `cookies` reads values by `http.cookies`, whose unquoting takes time in the square of a
value's length before Python 3.11.10 and 3.12.6: 60 KB from a stranger stop the event loop for
seconds. No cookie of this server is quoted, so a quoted one is none of them.
"""

from collections.abc import Iterable


def cookies_of(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """Return all cookies of a name, as they came. A page on a neighbouring host can add one."""
    found = []
    for name, value in headers:
        if name == b"cookie":
            for each in value.split(b";"):
                key, _, content = each.strip().partition(b"=")
                if key == wanted:
                    found.append(content.decode("latin-1"))
    return found
