"""Long answers over HTTP, and the patience that every stream has with PostgreSQL."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from server.api.state import State
from server.api.streams import Stream
from server.errors import Unavailable
from server.store.accounts import Principal
from server.telemetry import get_logger
from server.transport.connection import hang_up

log = get_logger(__name__)

LAST_SECONDS: Final = 5.0
"""So long the last words may take to get out; then the connection is hung up."""

RETRY_SECONDS: Final = 1.0

Read = TypeVar("Read")


async def patiently(read: Callable[[], Awaitable[Read]]) -> Read:
    """Read from PostgreSQL, however long it is away: a stream outlives that."""
    while True:
        try:
            return await read()
        except Unavailable:
            await anyio.sleep(RETRY_SECONDS)


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
        media_type: str,
        headers: dict[str, str],
    ) -> None:
        super().__init__(pieces, media_type=media_type, headers=headers)
        self._pieces = pieces
        self._streams = state["streams"]
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer.

        Raises:
            TooManySockets: the user has too many streams open; nothing has been sent then.
        """
        async with aclosing(self._pieces):  # also where nothing is read of what is open already
            if scope["method"] == "HEAD":
                await send(self._start())
                await send(_LAST)
                return
            with self._streams.admit(self._principal) as stream:
                self._end = partial(hang_up, scope)
                self._stream = stream
                await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send what comes, until there is a reason to stop."""
        await send(self._start())
        await self._answer(self._stream, send)
        if self._stream.ended is not None and self._stream.ended.reason == "slow":
            self._end()
            await anyio.sleep_forever()  # until the answer hears that its reader is gone
        with anyio.move_on_after(LAST_SECONDS) as limit:
            await send(_LAST)
        if limit.cancelled_caught:
            self._end()

    async def _answer(self, stream: Stream, send: Send) -> None:
        """Send what comes, until there is a reason to stop."""
        with stream.scope:
            try:
                async with aclosing(self._pieces):
                    async for piece in self._pieces:
                        body = piece.encode()
                        message = {"type": "http.response.body", "body": body, "more_body": True}
                        await stream.send(send(message))
            except Unavailable:  # who cannot be read for now comes back with the last id
                log.warning("long_answer_ended", because="PostgreSQL is away")

    def _start(self) -> Message:
        return {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }


_LAST: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": False}
