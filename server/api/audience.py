"""Long answers over HTTP, and the patience that every stream has with PostgreSQL."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final, TypeVar

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from server.api.state import State
from server.api.streams import Stream
from server.errors import Unavailable
from server.store.accounts import Principal
from server.telemetry import get_logger
from server.transport.connection import cut, hang_up

log = get_logger(__name__)

SSE: Final = "text/event-stream"
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

    It counts as an open stream of the user, and ends when the credential ends or the server stops:
    SSE in good order, since it says of itself where its end is; any other is cut off, or what is
    not whole would look so. A reader that does not take a piece in 15 s is hung up on; it comes
    back with the last id that it has.
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
        self._has_end = media_type == SSE
        self._is_whole = False

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
                self._scope = scope
                self._stream = stream
                self.headers.update(self._streams.limit(self._principal).headers())
                await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send what comes, until there is a reason to stop."""
        await send(self._start())
        await self._answer(self._stream, send)
        ended = self._stream.ended
        if ended is None or ended.reason != "slow":
            with anyio.move_on_after(LAST_SECONDS) as limit:
                await self._say_the_last(send)
            if not limit.cancelled_caught:
                return
        hang_up(self._scope)
        await anyio.sleep_forever()  # until the answer hears that its reader is gone

    async def _say_the_last(self, send: Send) -> None:
        """Send the last chunk, or close without one, so that what is not whole does not look so."""
        if self._is_whole or self._has_end:
            await send(_LAST)
        else:
            cut(self._scope)
            await anyio.sleep_forever()

    async def _answer(self, stream: Stream, send: Send) -> None:
        """Send what comes, until there is a reason to stop."""
        with stream.scope:
            try:
                async with aclosing(self._pieces):
                    async for piece in self._pieces:
                        body = piece.encode()
                        message = {"type": "http.response.body", "body": body, "more_body": True}
                        await stream.send(send(message))
                self._is_whole = True
            except Unavailable:  # who cannot be read for now comes back with the last id
                log.warning("long_answer_ended", because="PostgreSQL is away")

    def _start(self) -> Message:
        return {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }


_LAST: Final[Message] = {"type": "http.response.body", "body": b"", "more_body": False}
