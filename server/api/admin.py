"""For administrators: drift, and its repair."""

from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.accounts import Scope
from pyk8s.wire.admin import DriftReport, PoolList, RepairDrift, SetPool
from server.api.auth import authenticate
from server.api.state import State
from server.api.wire import answer, read_body
from server.commands.drift import repair_drift
from server.commands.pool import set_size, states
from server.store import drift as store


async def drift(request: Request[State]) -> Response:
    """Tell what should exist on the hosts, what does, and what differs."""
    await authenticate(request, Scope.ADMIN)
    async with request.state["database"].reading() as session:
        found = await store.hosts(session)
    return answer(DriftReport(items=list(found.values())))


async def pool(request: Request[State]) -> Response:
    """Tell how many prebuilt clusters there are and should be, by template."""
    await authenticate(request, Scope.ADMIN)
    return await _pool(request)


async def set_pool(request: Request[State]) -> Response:
    """Change how many prebuilt clusters of a template there should be."""
    await authenticate(request, Scope.ADMIN)
    await set_size(request.state["database"], await read_body(request, SetPool))
    return await _pool(request)


async def _pool(request: Request[State]) -> Response:
    sizes = request.state["settings"].pool_sizes
    return answer(PoolList(items=await states(request.state["database"], sizes)))


async def repair(request: Request[State]) -> Response:
    """Repair what differs, or tell in a dry run what would be done."""
    await authenticate(request, Scope.ADMIN)
    asked = await read_body(request, RepairDrift)
    return answer(await repair_drift(request.state["database"], asked), 202)
