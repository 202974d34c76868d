"""The bearer token of a request: a credential of this server's, and after a dot a cluster's token.

A header carries one token, and two questions are asked: which credential lets the request in, and
who asks inside. `CREDENTIAL` answers both. `CREDENTIAL.TOKEN` leaves the second question to the
cluster, whose API server reads `TOKEN` as any bearer token. Every client that takes a token takes
the two joined. Pure.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from server.proxy.refusals import Headers, Refusal, unauthorized
from server.secrets import CREDENTIAL_PREFIX

MAX_SECRET_BYTES: Final = 128
MAX_TOKEN_BYTES: Final = 16 * 1024
"""Of a cluster's token. A service account's has about 1 KB, one of an identity provider more."""

MAX_SAID_CHARS: Final = 100

PROTOCOLS: Final = b"sec-websocket-protocol"
IN_PROTOCOL: Final = b"base64url.bearer.authorization.k8s.io."
"""How a browser sends a token to an API server, since it sets no header for a WebSocket."""

_BEARER: Final = b"bearer "
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, b64token
_ADVICE: Final = (
    "take a kubeconfig of this server (pyk8s kubeconfig get NAME), and for a service account one "
    "with --service-account NAMESPACE/NAME"
)


@dataclass(frozen=True, slots=True)
class Bearer:
    """What a request brings to be let in."""

    secret: str
    """Of a credential."""
    token: str | None
    """For the cluster's API server, which then decides who asks. None: the credential's user."""


def bearer_of(headers: Headers) -> Bearer:
    """Read the bearer token of a request.

    Raises:
        Refusal: it has none, or one that is no credential of this server's.
    """
    said = _said(headers)
    secret, dot, token = said.partition(".")
    if not secret.startswith(CREDENTIAL_PREFIX):
        raise unauthorized(_unknown(said))
    if len(secret) > MAX_SECRET_BYTES:
        raise unauthorized("the credential is longer than any of this server's")
    if not dot:
        return Bearer(secret, None)
    if len(token) > MAX_TOKEN_BYTES:
        raise unauthorized(f"the token after the credential has more than {MAX_TOKEN_BYTES} bytes")
    if not _TOKEN.fullmatch(token):
        raise unauthorized("what follows the credential and its dot is no bearer token")
    return Bearer(secret, token)


def without_bearer(headers: Headers) -> Headers:
    """Return the headers without a bearer token among the subprotocols of a WebSocket."""
    kept = []
    for name, value in headers:
        if name == PROTOCOLS and IN_PROTOCOL in value:
            others = [each for each in _listed(value) if not each.startswith(IN_PROTOCOL)]
            if others:
                kept.append((name, b", ".join(others)))
        else:
            kept.append((name, value))
    return kept


def _said(headers: Headers) -> str:
    """Return the token as it was sent."""
    for name, value in headers:
        if name == b"authorization":
            if value[: len(_BEARER)].lower() != _BEARER:
                raise unauthorized(f"the Authorization header has no bearer token: {_ADVICE}")
            return value[len(_BEARER) :].strip().decode("latin-1")
    found = [
        each.removeprefix(IN_PROTOCOL)
        for name, value in headers
        if name == PROTOCOLS
        for each in _listed(value)
        if each.startswith(IN_PROTOCOL)
    ]
    if not found:
        raise unauthorized(f"no credential was sent: {_ADVICE}")
    if len(found) > 1:
        raise Refusal(400, "BadRequest", "Sec-WebSocket-Protocol has more than one bearer token")
    try:
        return _decoded(found[0]).decode("latin-1")
    except ValueError as error:
        raise unauthorized("the bearer token in Sec-WebSocket-Protocol is not base64url") from error


def _listed(value: bytes) -> list[bytes]:
    return [each.strip() for each in value.split(b",")]


def _decoded(text: bytes) -> bytes:
    """Decode base64url without padding. Raises ValueError."""
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64url") from error


def _unknown(said: str) -> str:
    """Say what a token is that is no credential, as far as it tells itself."""
    subject = subject_of(said)
    if subject is None:
        return f"the bearer token is no credential of this server's: {_ADVICE}"
    return (
        f"the token of {subject} is one of the cluster's and does not open this server alone: send "
        "the two joined by a dot, CREDENTIAL.TOKEN, as the bearer token (pyk8s kubeconfig get "
        "NAME --service-account NAMESPACE/NAME writes such a file)"
    )


def subject_of(said: str) -> str | None:
    """Return for whom a JSON Web Token (RFC 7519) says that it is. None: it is none."""
    parts = said.split(".")
    if len(parts) != 3 or len(said) > MAX_TOKEN_BYTES:  # noqa: PLR2004 -- header, claims, signature
        return None
    try:
        claims: Any = orjson.loads(_decoded(parts[1].encode("latin-1")))
    except ValueError:
        return None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    if not isinstance(subject, str):
        return None
    return "".join(each for each in subject if each.isprintable())[:MAX_SAID_CHARS] or None
