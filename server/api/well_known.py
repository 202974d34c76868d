"""What browsers, crawlers and finders of weaknesses ask every server for."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from server.api.revalidation import REVALIDATE, Document
from server.api.state import State
from server.config import Settings
from server.errors import NotFound

ICON: Final = Path(__file__).parent / "favicon.ico"
ROBOTS: Final = b"User-agent: *\nDisallow: /\n"
"""Nothing here is for search engines."""


def security_txt(settings: Settings, now: datetime) -> str:
    """Write whom to tell of a weakness (RFC 9116).

    Raises:
        NotFound: the operator has named nobody, or what they said has expired.
    """
    contacts, expires = settings.security_contacts, settings.security_expires
    fix = "let the operator set PYK8S_SECURITY_CONTACT and PYK8S_SECURITY_EXPIRES"
    if not contacts or expires is None:
        raise NotFound("the operator of this server has named no contact for security", fix=fix)
    if expires <= now:
        raise NotFound(f"the contact for security has expired on {expires:%Y-%m-%d}", fix=fix)
    until = expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return "".join(f"Contact: {contact}\n" for contact in contacts) + f"Expires: {until}\n"


async def _security(request: Request[State]) -> Response:
    text = security_txt(request.state["settings"], datetime.now(UTC))
    return PlainTextResponse(text, headers={"Cache-Control": REVALIDATE})


def routes() -> list[BaseRoute]:
    """Return the routes."""
    documents = {
        "/favicon.ico": Document(ICON.read_bytes(), "image/x-icon"),
        "/robots.txt": Document(ROBOTS, "text/plain; charset=utf-8"),
    }

    async def serve(request: Request[Any]) -> Response:
        return documents[request.url.path].answer(request.headers)

    return [
        Route("/.well-known/security.txt", _security),
        *(Route(path, serve) for path in documents),
    ]
