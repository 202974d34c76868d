"""Whoever listens for long, over the WebSocket or HTTP: for how long, and how patiently."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from server.api.sockets import hang_up
from server.api.state import State
from server.errors import LabError, Unavailable
from server.store import accounts
from server.store.accounts import Principal
from server.telemetry import get_logger

log = get_logger(__name__)

SEND_SECONDS: Final = 15.0
"""Who does not take a frame or a piece of an answer for so long is too slow."""

LAST_SECONDS: Final = 5.0
"""So long the last words may take to get out; then the connection is hung up."""

RECHECK_SECONDS: Final = 30.0
SHORTEST_RECHECK_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 1.0

Read = TypeVar("Read")
Clock = Callable[[], datetime]


async def patiently(read: Callable[[], Awaitable[Read]]) -> Read:
    """Read from PostgreSQL, however long it is away: a stream outlives that."""
    while True:
        try:
            return await read()
        except Unavailable:
            await anyio.sleep(RETRY_SECONDS)


async def credential_ended(state: State, principal: Principal, clock: Clock) -> None:
    """Return when the principal's session or token is revoked or has expired.

    A revocation is hinted at. Expiry, by the database's clock, is looked up when this machine's
    says so. And because a hint can be lost, there is a look every 30 s anyway.
    """
    credential_id = principal.session_id or principal.token_id
    if credential_id is None:
        return
    with state["hub"].watch_revocation(credential_id) as ended:
        while True:
            with anyio.move_on_after(_until_recheck(principal.expires_at, clock())):
                await ended.wait()
            try:
                async with state["database"].reading() as session:
                    valid = await accounts.still_valid(session, principal)
            except LabError:  # PostgreSQL is away: nothing is told meanwhile, ask again
                await anyio.sleep(RETRY_SECONDS)
                continue
            if not valid:
                return


def _until_recheck(expires_at: datetime | None, now: datetime) -> float:
    if expires_at is None:
        return RECHECK_SECONDS
    left = (expires_at - now).total_seconds()
    return min(RECHECK_SECONDS, max(SHORTEST_RECHECK_SECONDS, left))


class LongAnswer(StreamingResponse):
    """An answer that goes on until nothing more comes, its reader has gone or may no longer read.

    It counts as an open stream of the user, and ends in good order (the last chunk says that it
    is the last) when the credential ends or the server stops. A reader that does not take a piece
    in 15 s is hung up on; it comes back with the last id that it has.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[str, None],
        *,
        state: State,
        principal: Principal,
        clock: Clock,
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        super().__init__(pieces, media_type=media_type, headers=headers)
        self._pieces = pieces
        self._state = state
        self._principal = principal
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer.

        Raises:
            TooManySockets: the user has too many streams open; nothing has been sent then.
        """
        if scope["method"] == "HEAD":
            await send(self._start())
            await send(_LAST)
            return
        with self._state["sockets"].admit(self._principal.user.id):
            await super().__call__(scope, receive, partial(_in_time, scope, send))

    async def stream_response(self, send: Send) -> None:
        """Send what comes, until there is a reason to stop."""
        await send(self._start())
        reasons = (
            partial(credential_ended, self._state, self._principal, self._clock),
            self._state["stopping"].wait,
        )
        try:
            async with anyio.create_task_group() as tasks:
                for reason in reasons:
                    tasks.start_soon(_then_cancel, reason, tasks.cancel_scope)
                async with aclosing(self._pieces):
                    async for piece in self._pieces:
                        body = piece.encode()
                        await send({"type": "http.response.body", "body": body, "more_body": True})
                tasks.cancel_scope.cancel()
        except* Unavailable:  # who cannot be read for now comes back with the last id
            log.warning("long_answer_ended", because="PostgreSQL is away")
        await send(_LAST)

    def _start(self) -> Message:
        return {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }


_LAST: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": False}


async def _then_cancel(reason: Callable[[], Awaitable[object]], scope: anyio.CancelScope) -> None:
    await reason()
    scope.cancel()


async def _in_time(scope: Scope, send: Send, message: Message) -> None:
    is_last = not message.get("more_body", True)
    with anyio.move_on_after(LAST_SECONDS if is_last else SEND_SECONDS) as limit:
        await send(message)
    if limit.cancelled_caught:
        hang_up(scope)
        await anyio.sleep_forever()  # until the answer hears that its reader is gone
