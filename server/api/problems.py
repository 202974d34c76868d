"""Every error leaves as application/problem+json (RFC 9457)."""

import math
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from pyk8s.wire.service import Problem
from server.errors import Internal, LabError, MethodNotAllowed, NotFound, Unstorable
from server.telemetry import get_logger

MEDIA_TYPE = "application/problem+json"
SERVER_ERROR = 500
UNAUTHORIZED = 401
WWW_AUTHENTICATE = 'Bearer realm="pyk8s"'
CLIENT_CLOSED = 499  # as nginx calls it
log = get_logger(__name__)


def type_of(code: str) -> str:
    """Return the `type` of a problem."""
    return f"urn:pyk8s:problem:{code}"


def problem_of(error: LabError) -> Problem:
    """Give the body of an error."""
    return Problem(
        type=type_of(error.code),
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        fix=error.fix,
        errors=error.errors,
    )


def response_of(error: LabError) -> Response:
    """Give the whole answer of an error."""
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.limit is not None:
        headers |= error.limit.headers()
    if error.status == UNAUTHORIZED:
        headers["WWW-Authenticate"] = WWW_AUTHENTICATE
    body = problem_of(error).model_dump_json(exclude_none=True)
    return Response(body, status_code=error.status, media_type=MEDIA_TYPE, headers=headers)


async def on_lab_error(connection: HTTPConnection[Any], error: Exception) -> Any:
    """Answer a `LabError`, on HTTP or, before a WebSocket is accepted, on its handshake."""
    if not isinstance(error, LabError):
        raise error
    if error.status >= SERVER_ERROR:
        log.warning("request_failed", code=error.code, detail=error.detail)
    elif isinstance(error, Unstorable):  # a check of ours is missing
        log.warning("value_not_storable", path=connection.url.path, reason=error.detail)
    return await _deliver(connection, response_of(error))


async def _deliver(connection: HTTPConnection[Any], response: Response) -> Response | None:
    if isinstance(connection, WebSocket):
        with suppress(WebSocketDisconnect):  # nobody waits for the answer
            await connection.send_denial_response(response)
        return None
    return response


async def on_http_exception(connection: HTTPConnection[Any], error: Exception) -> Any:
    """Answer what Starlette itself refuses: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    path = connection.url.path
    refusal: LabError
    if error.status_code == MethodNotAllowed.status and isinstance(connection, Request):
        allowed = (error.headers or {}).get("Allow", "")
        refusal = MethodNotAllowed(
            f"{connection.method} is not possible on {path}", fix=f"this path knows: {allowed}"
        )
        response = response_of(refusal)
        response.headers["Allow"] = allowed
        return response
    refusal = NotFound(f"there is nothing at {path}", fix="the API is described at /docs")
    return await _deliver(connection, response_of(refusal))


async def on_gone(_: Request[Any], __: Exception) -> Response:
    """Answer a request whose sender left in the middle of its body; nobody hears it."""
    return Response(status_code=CLIENT_CLOSED)


async def on_defect(request: Request[Any], error: Exception) -> Response:
    """Answer what nobody foresaw; the log has the rest."""
    log.error("request_crashed", path=request.url.path, exc_info=error)
    response = response_of(
        Internal(
            "a defect of the server; nothing of what you asked for was half done",
            fix="try again; if it comes back, the operator finds the cause in the server's log",
        )
    )
    response.headers["Connection"] = "close"  # Starlette raises it again, and uvicorn hangs up
    return response
