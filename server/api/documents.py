"""OpenAPI and AsyncAPI, Swagger UI at /docs and the stream's page, all from our own files."""

from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from server.api.state import State

SWAGGER: Final = Path(__file__).parent / "swagger_ui"
STREAM_STYLE: Final = Path(__file__).parent / "stream_page.css"

# Swagger UI sets style attributes and shows its icons as data: images; its scripts are files.
DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)

STREAM_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)


async def openapi(request: Request[State]) -> Response:
    """Give the description of the API."""
    return Response(request.state["documents"].openapi, media_type="application/json")


async def asyncapi(request: Request[State]) -> Response:
    """Give the description of the stream."""
    return Response(request.state["documents"].asyncapi, media_type="application/json")


async def docs(_: Request[Any]) -> Response:
    """Give the page on which the API can be tried out."""
    return FileResponse(SWAGGER / "index.html", headers={"Content-Security-Policy": DOCS_POLICY})


async def stream_page(request: Request[State]) -> Response:
    """Give the page that tells about the stream."""
    headers = {"Content-Security-Policy": STREAM_POLICY}
    return HTMLResponse(request.state["documents"].stream_page, headers=headers)


async def stream_style(_: Request[Any]) -> Response:
    """Give the looks of that page."""
    return FileResponse(STREAM_STYLE, media_type="text/css")


def routes() -> list[BaseRoute]:
    """Give the routes of the documents."""
    return [
        Route("/openapi.json", openapi),
        Route("/asyncapi.json", asyncapi),
        Route("/docs", docs),
        Route("/docs/stream", stream_page),
        Route("/docs/stream.css", stream_style),
        Mount("/docs/assets", StaticFiles(directory=SWAGGER / "assets", check_dir=False)),
    ]
