"""What pages of other origins may do: those that PYK8S_ALLOWED_ORIGINS names, with a token."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from server.api.problems import response_of
from server.errors import CrossOrigin

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE")
SENT: Final = (
    "Authorization",
    "Cache-Control",  # libraries for SSE send it
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
)
"""Headers that a page may send."""
EXPOSED: Final = (
    "Content-Disposition",
    "ETag",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
)
"""Headers that a page may read, beside those that every page may."""
PREFLIGHT_SECONDS: Final = 600
MAX_SHOWN: Final = 100


class Cors(CORSMiddleware):
    """CORS without credentials: a page of another origin uses the API with a token of its own.

    Cookies stay with the server's own page, which needs no CORS. A refused preflight is answered
    with a problem document, as every other refusal.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=SENT,
            expose_headers=EXPOSED,
            allow_credentials=False,
            allow_private_network=True,  # who names an origin means it, wherever it is served from
            max_age=PREFLIGHT_SECONDS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight; a refusal names what was not allowed and the way out."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:  # noqa: PLR2004
            return response
        origin = request_headers["origin"]
        if not self.is_allowed_origin(origin):
            detail = f"the origin {origin[:MAX_SHOWN]!r} is not one of this server's"
            fix = "let the operator add the origin to PYK8S_ALLOWED_ORIGINS"
        else:
            detail = bytes(response.body).decode()
            fix = f"use {', '.join(METHODS)} and no other headers than {', '.join(SENT)}"
        refusal = response_of(CrossOrigin(detail, fix=fix))
        for name, value in response.headers.items():
            if name == "vary" or name.startswith("access-control-"):
                refusal.headers[name] = value
        return refusal
