"""OpenAPI and AsyncAPI, Swagger UI at /docs and the stream's page, all from our own files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from server.api.endpoint import Handler
from server.api.revalidation import Document, Files
from server.api.state import State

SWAGGER: Final = Path(__file__).parent / "swagger_ui"
STREAM_STYLE: Final = Path(__file__).parent / "stream_page.css"

# Swagger UI sets style attributes and shows its icons as data: images; its scripts are files.
DOCS_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)


async def openapi(request: Request[State]) -> Response:
    """Return the description of the API."""
    return request.state["documents"].openapi.answer(request.headers)


async def asyncapi(request: Request[State]) -> Response:
    """Return the description of the stream."""
    return request.state["documents"].asyncapi.answer(request.headers)


async def stream_page(request: Request[State]) -> Response:
    """Return the page that tells about the stream."""
    return request.state["documents"].stream_page.answer(request.headers)


def _file(path: Path, media_type: str, headers: Mapping[str, str] | None = None) -> Handler:
    document = Document(path.read_bytes(), media_type, headers or {})

    async def serve(request: Request[Any]) -> Response:
        return document.answer(request.headers)

    return serve


def routes() -> list[BaseRoute]:
    """Return the routes of the documents."""
    policy = {"Content-Security-Policy": DOCS_POLICY}
    return [
        Route("/openapi.json", openapi),
        Route("/asyncapi.json", asyncapi),
        Route("/docs", _file(SWAGGER / "index.html", "text/html; charset=utf-8", policy)),
        Route("/docs/stream", stream_page),
        Route("/docs/stream.css", _file(STREAM_STYLE, "text/css; charset=utf-8")),
        Mount("/docs/assets", Files(str(SWAGGER / "assets"), check_dir=False)),
    ]
