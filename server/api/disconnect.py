"""Work that is done for one client, and for no longer than that client waits."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")


async def while_connected(request: Request[Any], work: Callable[[], Awaitable[Result]]) -> Result:
    """Do the work and return its result; cancel it when the client hangs up. The body is not read.

    Raises:
        ClientDisconnect: the client has gone.
    """
    results: list[Result] = []
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            results.append(await work())
        except Exception as error:  # raised below: out of a task group it would come in a group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if not results:
        raise ClientDisconnect
    return results[0]
