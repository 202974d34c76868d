"""The terminals of a cluster: which are open, and ending one."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.accounts import Scope
from pyk8s.wire.terminals import TerminalList
from server.api.auth import authenticate
from server.api.clusters import owned
from server.api.state import State
from server.api.wire import answer
from server.errors import NoSuchTerminal


async def list_all(request: Request[State]) -> Response:
    """List the caller's open terminals of a cluster, the oldest first."""
    principal = await authenticate(request, Scope.ACCESS)
    cluster = await owned(request, principal)
    terminals = request.state["terminals"]
    await terminals.serves(cluster.id)
    sessions = terminals.of(principal.user.id, cluster.id)
    return answer(TerminalList(items=[session.describe() for session in sessions]))


async def close(request: Request[State]) -> Response:
    """End a terminal and what runs in it; one that has just ended is no error."""
    principal = await authenticate(request, Scope.ACCESS)
    cluster = await owned(request, principal)
    try:
        terminal_id = UUID(request.path_params["terminal_id"])
    except ValueError:
        raise NoSuchTerminal("there is no such terminal", fix="list the open ones") from None
    request.state["terminals"].find(principal.user.id, cluster.id, terminal_id).end("closed")
    return Response(status_code=204)
