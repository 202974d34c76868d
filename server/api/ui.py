"""The built page, served from files, each with a policy that allows just its own inline scripts."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Scope

from server.api.endpoint import Handler
from server.api.revalidation import REVALIDATE, Document, Files

_INLINE_SCRIPT: Final = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
PLACEHOLDER: Final = "_"
"""The export's file for a path with a parameter: clusters/_.html answers /clusters/<anything>."""

NOT_FOUND: Final = "404"
MISSING_STATUS: Final = 404
IMMUTABLE: Final = "public, max-age=31536000, immutable"
OF_THE_API: Final = "api/"
"""What is asked for there is asked for by a program, whatever it says that it accepts."""


def policy_of(html: str) -> str:
    """Write the Content-Security-Policy for a page: its inline scripts by hash, no other."""
    hashes = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in _INLINE_SCRIPT.findall(html)
    }
    allowed = " ".join(f"'sha256-{value}'" for value in sorted(hashes))
    return (
        f"default-src 'none'; script-src 'self' {allowed}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


@dataclass(frozen=True, slots=True)
class Built:
    """The built page: routes of its documents, and an application for all its other files."""

    routes: list[BaseRoute]
    files: ASGIApp


def read(directory: Path) -> Built:
    """Read the pages once."""
    found: list[BaseRoute] = []
    with_parameter: list[BaseRoute] = []
    for file in sorted(directory.rglob("*.html")):
        name = file.relative_to(directory).with_suffix("").as_posix()
        html = file.read_text(encoding="utf-8")
        page = _page(html)
        if name == NOT_FOUND:
            continue
        path = "/" + name.removesuffix("index").rstrip("/")
        parts = path.split("/")
        if PLACEHOLDER in parts:
            pattern = "/".join("{name}" if part == PLACEHOLDER else part for part in parts)
            with_parameter.append(Route(pattern, _serve(page)))
        else:
            found.append(Route(path, _serve(page)))
    missing = directory / f"{NOT_FOUND}.html"
    html = missing.read_text(encoding="utf-8") if missing.is_file() else "<h1>Not found</h1>"
    files = _Files(directory, _page(html))
    return Built([*found, *with_parameter], files)


def _serve(page: Document) -> Handler:
    async def serve(request: Request[Any]) -> Response:
        return page.answer(request.headers)

    return serve


def _page(html: str) -> Document:
    policy = {"Content-Security-Policy": policy_of(html)}
    return Document(html.encode(), "text/html; charset=utf-8", policy)


class _Files(Files):
    """Files whose name has a hash never change; the rest is asked for again."""

    def __init__(self, directory: Path, missing: Document) -> None:
        super().__init__(str(directory))
        self._missing = missing

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            if any(part.startswith(".") for part in path.split("/")):
                raise HTTPException(MISSING_STATUS)  # notes of what built the page
            response = await super().get_response(path, scope)
        except HTTPException as error:
            accepts = Headers(scope=scope).get("accept", "")
            is_of_api = path.startswith(OF_THE_API)
            if error.status_code != MISSING_STATUS or is_of_api or "text/html" not in accepts:
                raise
            page = self._missing
            return HTMLResponse(
                page.body, MISSING_STATUS, {**page.headers, "Cache-Control": REVALIDATE}
            )
        hashed = path.startswith("_next/static/")
        response.headers["Cache-Control"] = IMMUTABLE if hashed else REVALIDATE
        return response
