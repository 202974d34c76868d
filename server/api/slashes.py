"""A path with one slash too many or too few at its end: a redirect to the path that a route has."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Match, Router
from starlette.types import ASGIApp, Receive, Scope, Send


class RedirectSlashes:
    """Answers what no route of a router has matched. `otherwise`: answers what this does not.

    Starlette's own redirect names a scheme and a host. The scheme is wrong behind a proxy that ends
    TLS, and the host is whatever a client has said.
    """

    def __init__(self, router: Router, otherwise: ASGIApp) -> None:
        self._router = router
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect, or hand on."""
        if scope["type"] == "http" and self._is_known_otherwise(scope):
            response = Response(status_code=307, headers={"Location": _location_of(scope)})
            await response(scope, receive, send)
        else:
            await self._otherwise(scope, receive, send)

    def _is_known_otherwise(self, scope: Scope) -> bool:
        if scope["path"].strip("/") == "":
            return False
        other: dict[str, Any] = {**scope, "path": _toggled(scope["path"])}
        return any(route.matches(other)[0] is not Match.NONE for route in self._router.routes)


def _toggled(path: str) -> str:
    return path.rstrip("/") if path.endswith("/") else path + "/"


def _location_of(scope: Scope) -> str:
    """Return the path and the query alone. Two slashes at the beginning would name a host."""
    path = "/" + _toggled(scope["raw_path"].decode("ascii")).lstrip("/\\")
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
