"""The ASGI application of the API and the page."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uuid_utils.compat as uuids
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect

from server.api import problems, routes, ui
from server.api.security import SecurityHeaders
from server.api.slashes import RedirectSlashes
from server.api.state import State
from server.config import REPOSITORY
from server.errors import LabError

COMPRESSED_FROM_BYTES = 1024


def create_app(state: State) -> Starlette:
    """Make the application around what is running."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        yield state

    directory = state["settings"].ui_dir or REPOSITORY / "frontend" / "out"
    page = ui.read(directory) if (directory / "index.html").is_file() else None
    app = Starlette(
        routes=[*routes.routes(), *(page.routes if page is not None else [])],
        lifespan=lifespan,
        middleware=[Middleware(SecurityHeaders, request_id=lambda: str(uuids.uuid7()))],
        exception_handlers={
            LabError: problems.on_lab_error,
            ClientDisconnect: problems.on_gone,
            HTTPException: problems.on_http_exception,
            Exception: problems.on_defect,
        },
    )
    otherwise = app.router.default
    if page is not None:  # after all routes, so that it answers nothing that the API knows
        otherwise = GZipMiddleware(page.files, minimum_size=COMPRESSED_FROM_BYTES)
    app.router.redirect_slashes = False
    app.router.default = RedirectSlashes(app.router, otherwise)
    return app
