"""Protocols that a connection may be upgraded to, and what their handshakes look like. Pure."""

from dataclasses import dataclass
from typing import Final

from server.proxy.refusals import Headers, Refusal


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One protocol. Its bytes pass as they are once both sides have agreed on it."""

    token: bytes
    """As the `Upgrade` header names it; compared without regard to case."""
    methods: frozenset[str]
    """Of the request that asks for it."""
    required: frozenset[bytes]
    """Headers without which a request is no handshake."""
    passed: frozenset[bytes]
    """Headers of the handshake that the other side gets; none of them passes otherwise."""
    confirmed_by: bytes | None = None
    """A header that an answer 101 has to have beside `Upgrade`."""


WEBSOCKET: Final = Upgrade(
    b"websocket",
    methods=frozenset({"GET"}),
    required=frozenset({b"sec-websocket-key", b"sec-websocket-version"}),
    passed=frozenset(
        {
            b"sec-websocket-extensions",
            b"sec-websocket-key",
            b"sec-websocket-protocol",
            b"sec-websocket-version",
        }
    ),
    confirmed_by=b"sec-websocket-accept",
)
"""RFC 6455."""

SPDY: Final = Upgrade(
    b"SPDY/3.1",
    methods=frozenset({"GET", "POST"}),
    required=frozenset(),
    passed=frozenset({b"x-stream-protocol-version"}),
)
"""What `exec`, `attach` and `port-forward` of Kubernetes speak beside WebSockets: client-go's
`NewSPDYExecutor` and `spdy.NewDialer`, kubectl before 1.31, and a later kubectl after a WebSocket
was refused. The header tells which protocol of Kubernetes is spoken in the streams."""

_WEBSOCKET_VERSION: Final = b"13"


def protocol_of(token: bytes | None, allowed: frozenset[Upgrade]) -> Upgrade | None:
    """Return the protocol that an `Upgrade` header names. None: none of those that are allowed."""
    if token is None:
        return None
    return next((each for each in allowed if each.token.lower() == token.lower()), None)


def check_handshake(upgrade: Upgrade, method: str, headers: Headers) -> None:
    """Check that a request is a handshake of the protocol and nothing else.

    Raises:
        Refusal: it is not.
    """
    found = dict(headers)
    if (
        method not in upgrade.methods
        or protocol_of(found.get(b"upgrade"), frozenset({upgrade})) is None
        or not upgrade.required <= found.keys()
        or found.get(b"sec-websocket-version", _WEBSOCKET_VERSION) != _WEBSOCKET_VERSION
        or found.get(b"content-length", b"0") != b"0"
        or b"transfer-encoding" in found
    ):
        raise Refusal(400, "BadRequest", f"this is no handshake of {upgrade.token.decode()}")


def is_agreed(upgrade: Upgrade, headers: Headers) -> bool:
    """Return whether an answer 101 switches to the protocol that was asked for."""
    found = dict(headers)
    named = [value.lower() for name, value in headers if name == b"upgrade"]
    return named == [upgrade.token.lower()] and (
        upgrade.confirmed_by is None or upgrade.confirmed_by in found
    )
