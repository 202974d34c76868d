"""The ASGI application of the API and the page."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uuid_utils.compat as uuids
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from server.api import problems, routes, ui
from server.api.cors import Cors
from server.api.hosts import KnownHosts
from server.api.security import SecurityHeaders
from server.api.slashes import RedirectSlashes
from server.api.state import State
from server.config import REPOSITORY, Settings
from server.errors import LabError


def create_app(state: State) -> ASGIApp:
    """Make the application around what is running."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        yield state

    directory = state["settings"].ui_dir or REPOSITORY / "frontend" / "out"
    page = ui.read(directory) if (directory / "index.html").is_file() else None
    app = Starlette(
        routes=[*routes.routes(), *(page.routes if page is not None else [])],
        lifespan=lifespan,
        exception_handlers={
            LabError: problems.on_lab_error,
            ClientDisconnect: problems.on_gone,
            HTTPException: problems.on_http_exception,
            Exception: problems.on_defect,
        },
    )
    otherwise = app.router.default
    if page is not None:  # after all routes, so that it answers nothing that the API knows
        otherwise = page.files
    app.router.redirect_slashes = False
    app.router.default = RedirectSlashes(app.router, otherwise)
    return _guarded(app, state["settings"])


def _guarded(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Put around an application what holds for every answer, that to a crash included."""
    if settings.named_origins:
        app = Cors(app, origins=settings.named_origins)
    return SecurityHeaders(KnownHosts(app, settings), request_id=lambda: str(uuids.uuid7()))
