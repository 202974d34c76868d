"""uvicorn's HTTP/1.1 with the limits that it lacks: the time and the size of a request."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.transport.connection import CUT, HANG_UP, TAKE_TIME

HEAD_SECONDS: Final = 5.0
"""The head of a request is here within this time of the connection, or of its own first byte."""

BODY_SECONDS: Final = 20.0
"""So long its body (64 KiB at most) may take; unless the application says that it may take longer
(`server.transport.connection.take_time`)."""

LAST_LOOK_SECONDS: Final = 0.1
"""Who is late is ended so much later: what came while this process was busy with something else
is not read yet when the time is up."""

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of one request. Headers are kept in memory, and httptools sets no limit."""


class GuardedHttp(HttpToolsProtocol):
    """HTTP/1.1 from peers that may want to keep a connection busy with nothing."""

    _deadline: asyncio.TimerHandle | None = None
    _requests = 0
    _is_in_head = True
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request soon."""
        super().connection_made(transport)
        self._expect_within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._stop_expecting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head of a request grows and grows."""
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_within(HEAD_SECONDS)
        if self.transport.is_closing():
            return
        requests, was_in_head = self._requests, self._is_in_head
        super().data_received(data)
        # What ends a body is no head, although the next head is waited for after it.
        if was_in_head and self._is_in_head and self._requests == requests:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse_head()

    def on_message_begin(self) -> None:
        """Give the application a way to hang up."""
        super().on_message_begin()
        self._requests += 1
        self._is_in_head, self._head_bytes = True, 0
        ways: dict[Any, Any] = {
            CUT: self.transport.close,
            HANG_UP: self.transport.abort,
            TAKE_TIME: self._stop_expecting,
        }
        self.scope["extensions"] = ways

    def on_headers_complete(self) -> None:
        """Stop counting, and expect the body."""
        self._is_in_head = False
        self._expect_within(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Be content: the request is here. What follows is the head of the next one."""
        self._stop_expecting()
        self._is_in_head = True
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand over to the WebSocket."""
        self._stop_expecting()
        super().handle_websocket_upgrade()

    def _expect_within(self, seconds: float) -> None:
        self._stop_expecting()
        self._deadline = self.loop.call_later(seconds, self._look_once_more)

    def _look_once_more(self) -> None:
        self._deadline = self.loop.call_later(LAST_LOOK_SECONDS, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse_head(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(STATUS_LINE[431] + b"connection: close\r\n\r\n")
            self.transport.close()
