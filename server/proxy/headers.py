"""What of a request's and an answer's headers passes. Pure.

Towards the cluster only what is on a list passes, so that no spelling of a name that somebody
might understand as an identity or a route can. Who asks is added here, and nowhere else.
"""

from collections.abc import Iterable
from typing import Final

from server.proxy.refusals import Headers, Refusal
from server.proxy.upgrades import SPDY, WEBSOCKET, Upgrade

PASSED: Final = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"content-encoding",
        b"content-type",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-unmodified-since",
        b"kubectl-command",
        b"kubectl-session",
        b"range",
        b"traceparent",
        b"tracestate",
        b"user-agent",
    }
)
LISTS: Final = frozenset({b"accept", b"accept-encoding", b"if-match", b"if-none-match"}) | {
    b"connection",
    b"sec-websocket-extensions",
    b"sec-websocket-protocol",
    b"tracestate",
    b"x-stream-protocol-version",
}
"""What may come several times. Of the rest that we read or pass, a second one is refused: who
reads the first and who reads the last would see different requests."""

READ_HERE: Final = frozenset(
    {b"authorization", b"content-length", b"host", b"transfer-encoding", b"upgrade"}
)

SINGLE: Final = (PASSED | WEBSOCKET.passed | SPDY.passed | READ_HERE) - LISTS

NOT_GIVEN_BACK: Final = frozenset(
    {
        b"alt-svc",
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"set-cookie",
        b"strict-transport-security",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Hop by hop; or would change what a browser does with other servers of this host."""


def named_in_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Give the names that `Connection` declares to be for the next hop only."""
    return frozenset(
        token.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for token in value.split(b",")
    )


def check_duplicates(headers: Headers) -> None:
    """Let nothing through that could be read in two ways.

    Raises:
        Refusal: a header that has one value comes twice.
    """
    seen = set()
    for name, _ in headers:
        if name in seen and name in SINGLE:
            raise Refusal(400, "BadRequest", f"the header {name.decode()} comes more than once")
        seen.add(name)


def towards_cluster(headers: Headers, who: Headers, *, upgrade: Upgrade | None = None) -> Headers:
    """Give what the cluster gets: the list's headers, and `who` asks."""
    passed = PASSED | upgrade.passed if upgrade is not None else PASSED
    dropped = named_in_connection(headers)
    return [
        *((name, value) for name, value in headers if name in passed and name not in dropped),
        *who,
    ]


def towards_client(headers: Iterable[tuple[bytes, bytes]], prefix: bytes) -> Headers:
    """Give what the client gets. A way within the cluster gets its `prefix`; others are dropped."""
    headers = [(name.lower(), value) for name, value in headers]
    dropped = NOT_GIVEN_BACK | named_in_connection(headers)
    return [
        (name, prefix + value if name == b"location" else value)
        for name, value in headers
        if name not in dropped
        and (name != b"location" or (value[:1] == b"/" and value[:2] not in {b"//", b"/\\"}))
    ]
