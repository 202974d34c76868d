"""OpenAPI's file, and Swagger UI at /docs from our own files."""

from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from server.api.state import State

SWAGGER: Final = Path(__file__).parent / "swagger_ui"

# Swagger UI sets style attributes and shows its icons as data: images; its scripts are files.
DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)


async def openapi(request: Request[State]) -> Response:
    """Give the description of the API."""
    return Response(request.state["documents"].openapi, media_type="application/json")


async def docs(_: Request[Any]) -> Response:
    """Give the page on which the API can be tried out."""
    return FileResponse(SWAGGER / "index.html", headers={"Content-Security-Policy": DOCS_POLICY})


def routes() -> list[BaseRoute]:
    """Give the routes of the documents."""
    return [
        Route("/openapi.json", openapi),
        Route("/docs", docs),
        Mount("/docs/assets", StaticFiles(directory=SWAGGER / "assets", check_dir=False)),
    ]
