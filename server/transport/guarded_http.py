"""uvicorn's HTTP/1.1 with the limits that it lacks: sizes, times, and one answer a request."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from server.transport.connection import CUT, HANG_UP, TAKE_TIME
from server.transport.request_rules import (
    BAD_REQUEST,
    TOO_LARGE,
    BadRequest,
    check_head,
    has_body,
)
from server.transport.unfinished import HEADER_BYTES, Unfinished
from server.transport.unsent import Unsent

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

MAX_HEADERS: Final = 256
"""Of one request. A header of five bytes takes two hundred in memory."""

MAX_TRAILER_BYTES: Final = 8 * 1024
"""Of the fields after a chunked body, or of a chunk's extension. All of it is dropped."""

MAX_PIPELINED: Final = 8
"""Requests that wait for the answer to one before them."""

MAX_PIPELINED_BYTES: Final = 32 * 1024
"""What the heads of those take together. They wait for as long as the answer lasts, and an answer
to a watch lasts for hours."""

MAX_IGNORED_BYTES: Final = 256 * 1024
"""Of what comes after a refusal. Whoever sends more does not wait for an answer."""

LINGER_SECONDS: Final = 1.0
"""A connection is closed so long after a refusal. What is unread when it is closed makes the kernel
reset it, and the reset overtakes the refusal."""


class GuardedHttp(HttpToolsProtocol):
    """HTTP/1.1 from peers that may want to keep a connection busy with nothing."""

    keeps_bodies = True
    """Whether the application collects a body before it does something with it."""
    _deadline: asyncio.TimerHandle | None = None
    _linger: asyncio.TimerHandle | None = None
    _running: RequestResponseCycle | None = None
    _is_in_head = True
    _is_deaf = False
    """Whether nothing more is read: what comes could not be told apart from another request."""
    _ignored_bytes = 0
    _head_bytes = 0
    _parsed_bytes = 0
    _trailer_bytes = 0
    _received_bytes = 0
    """Of a body, as far as it is kept in memory."""
    _is_unfinished = False
    """Whether a request has begun and is counted until it is whole."""
    _idle_bytes = 0
    """Of a body, since the parser last found something in it."""
    _has_found = False
    """Whether the parser found a part of a body in the last piece that was read."""
    _has_completed = False
    """Whether a request ended in it."""

    def __init__(
        self,
        *args: Any,
        unsent: Unsent | None = None,
        unfinished: Unfinished | None = None,
        **kwargs: Any,
    ) -> None:
        """`unsent`, `unfinished`: of all connections of a port."""
        super().__init__(*args, **kwargs)
        self._unsent = unsent if unsent is not None else Unsent()
        self._unfinished = unfinished if unfinished is not None else Unfinished()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request soon."""
        super().connection_made(transport)
        self._expect_within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more, and tell the application, also where another request waits."""
        self._stop_expecting()
        self._unset_keepalive_if_required()  # uvicorn leaves it running where a peer resets
        if self._linger is not None:
            self._linger.cancel()
        self._unsent.forget(self.transport)
        self._unfinished.forget(self.transport)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Watch whether the peer takes its answer."""
        super().pause_writing()
        self._unsent.watch(self.transport, self.loop)

    def resume_writing(self) -> None:
        """Watch no longer."""
        super().resume_writing()
        self._unsent.forget(self.transport)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head of a request grows and grows."""
        if self._deadline is None and not self._is_busy:
            self._expect_within(HEAD_SECONDS)
        if self._is_deaf:
            self._ignored_bytes += len(data)
            if self._ignored_bytes > MAX_IGNORED_BYTES:
                self.transport.abort()
            return
        if self.transport.is_closing():
            return
        was_in_head = self._is_in_head
        self._has_found, self._has_completed = False, False
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgrade()
        except httptools.HttpParserError as error:
            cause = error.__context__
            if not isinstance(cause, BadRequest):
                cause = BadRequest(BAD_REQUEST, "this is no request of HTTP/1.1")
            self._refuse(cause)
        else:
            self._count_unparsed(len(data), was_in_head=was_in_head)
        self._count_unfinished()

    def _count_unfinished(self) -> None:
        """Count what a request that is not whole takes, for the limit of all connections."""
        is_begun = self._is_unfinished or (self._is_in_head and self._head_bytes > 0)
        if not is_begun or self._is_deaf:
            self._unfinished.forget(self.transport)
            return
        text = max(self._head_bytes, self._parsed_bytes)
        size = text + HEADER_BYTES * len(self.headers or ()) + self._received_bytes
        self._unfinished.note(self.transport, size)

    def _count_unparsed(self, size: int, *, was_in_head: bool) -> None:
        """Limit what the parser keeps to itself: a line that has no end."""
        if self._is_in_head:
            # What ends a request is no head, although the next head is waited for after it.
            if not self._has_completed:
                self._head_bytes += size
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(_head_too_large())
        elif not was_in_head and not self._has_found:
            self._idle_bytes += size
            if self._idle_bytes > MAX_TRAILER_BYTES:
                self._refuse(_trailers_too_large())

    def on_message_begin(self) -> None:
        """Give the application a way to hang up."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes, self._parsed_bytes = True, 0, 0
        self._is_unfinished, self._received_bytes = True, 0
        ways: dict[Any, Any] = {
            CUT: self.transport.close,
            HANG_UP: self.transport.abort,
            TAKE_TIME: self._take_time,
        }
        self.scope["extensions"] = ways

    def on_url(self, url: bytes) -> None:
        """Count.

        Raises:
            BadRequest: the head is too large.
        """
        self._count_parsed(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head; drop one that comes after the body, whatever it says.

        Raises:
            BadRequest: there is too much of it.
        """
        size = len(name) + len(value) + 4
        if self._is_in_head:
            self._count_parsed(size)
            if len(self.headers) >= MAX_HEADERS:
                raise _head_too_large()
            super().on_header(name, value.strip(b" \t"))
            return
        self._has_found = True
        self._trailer_bytes += size
        if self._trailer_bytes > MAX_TRAILER_BYTES:
            raise _trailers_too_large()

    def on_headers_complete(self) -> None:
        """Check the head, stop counting, and expect the body.

        Raises:
            BadRequest: the request is not for an application.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version()
        check_head(method, self.url, version, self.headers)
        with_body = has_body(self.headers)
        is_upgrade = self.parser.should_upgrade() and self._should_upgrade()
        if is_upgrade and with_body:
            raise BadRequest(BAD_REQUEST, "a request for an upgrade has no body")
        if self._is_busy and (is_upgrade or with_body or not self._may_wait()):
            # Answers have an order, and memory an end.
            detail = "this request came before the answer to the one before it was complete"
            raise BadRequest(BAD_REQUEST, detail)
        self._is_in_head, self._trailer_bytes, self._idle_bytes = False, 0, 0
        self._stop_expecting()
        if with_body:
            self._expect_body()
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Note that a chunk begins."""
        self._has_found, self._idle_bytes = True, 0

    def on_body(self, body: bytes) -> None:
        """Note that the body goes on."""
        self._has_found, self._idle_bytes = True, 0
        if self.keeps_bodies:
            self._received_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Be content: the request is here. What follows is the head of the next one."""
        self._stop_expecting()
        self._is_in_head, self._has_completed = True, True
        self._is_unfinished, self._head_bytes = False, 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand over to the WebSocket."""
        self.hand_over()
        super().handle_websocket_upgrade()

    def hand_over(self) -> None:
        """Stop watching the connection: it has another protocol from now on."""
        self._stop_expecting()
        self._unsent.forget(self.transport)
        self._unfinished.forget(self.transport)

    def send_400_response(self, msg: str) -> None:
        """Refuse what uvicorn itself takes offence at."""
        self._refuse(BadRequest(BAD_REQUEST, msg))

    @property
    def _is_busy(self) -> bool:
        """Whether an answer is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def _may_wait(self) -> bool:
        """Return whether the request that is read may wait behind those that wait already."""
        waiting = sum(_size_of(cycle.scope["headers"]) for cycle, _ in self.pipeline)
        taken = waiting + _size_of(self.headers)
        return len(self.pipeline) < MAX_PIPELINED and taken <= MAX_PIPELINED_BYTES

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _upgrade(self) -> None:
        if self._should_upgrade():
            self.handle_websocket_upgrade()
            return
        # It is answered as if it had not asked. What follows may be spoken in the other protocol.
        self._is_deaf = True
        if self._is_busy:
            self.cycle.keep_alive = False
        else:
            self._close_soon()

    def _count_parsed(self, size: int) -> None:
        self._parsed_bytes += size
        if self._parsed_bytes > MAX_HEAD_BYTES:
            raise _head_too_large()

    def _take_time(self) -> None:
        """Leave the body of the request to the application, which bounds it."""
        self._stop_expecting()
        self._is_unfinished = False
        self._unfinished.forget(self.transport)

    def _expect_body(self) -> None:
        self._expect_within(BODY_SECONDS)

    def _expect_within(self, seconds: float) -> None:
        self._stop_expecting()
        self._deadline = self.loop.call_later(seconds, self._look_once_more)

    def _look_once_more(self) -> None:
        self._deadline = self.loop.call_later(LAST_LOOK_SECONDS, self.transport.abort)

    def _stop_expecting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, reason: BadRequest) -> None:
        """Answer a request that no application sees, in its turn, and end the connection."""
        self._stop_expecting()
        self._is_deaf = True
        if self._is_in_head and self._is_busy:
            self._answer_in_turn(reason)
        elif self._is_in_head:
            self._write(reason)
        else:
            self._give_up_body(reason)

    def _answer_in_turn(self, reason: BadRequest) -> None:
        async def refuse(scope: Any, receive: Any, send: Any) -> None:
            body = _body_of(reason)
            headers = [(b"content-length", str(len(body)).encode()), *_REFUSAL_HEADERS]
            await send({"type": "http.response.start", "status": reason.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        self.scope["method"] = "GET"  # so that the body is sent
        self.cycle = RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        self.pipeline.appendleft((self.cycle, cast("ASGI3Application", refuse)))

    def _give_up_body(self, reason: BadRequest) -> None:
        """End a request in the middle of its body. It has one answer, or a part of one."""
        has_answer = self.cycle.response_started
        if not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if has_answer:
            self._close_soon()
        else:
            self._write(reason)

    def _write(self, reason: BadRequest) -> None:
        if self.transport.is_closing():
            return
        body = _body_of(reason)
        headers = [
            *self.server_state.default_headers,
            *_REFUSAL_HEADERS,
            (b"content-length", str(len(body)).encode()),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[reason.status] + lines + b"\r\n" + body)
        self._close_soon()

    def _close_soon(self) -> None:
        """Close, once the peer has had time to read what was said last."""
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._linger = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.close()


def _body_of(reason: BadRequest) -> bytes:
    return reason.detail.encode() + b"\n"


# Made anew each time: an exception keeps the frames that it was raised through, with all they hold.
def _head_too_large() -> BadRequest:
    return BadRequest(TOO_LARGE, "the head of the request is too large")


def _trailers_too_large() -> BadRequest:
    return BadRequest(TOO_LARGE, "there is too much after the body's pieces")


_REFUSAL_HEADERS: Final = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"connection", b"close"),
]


def _size_of(head: Iterable[tuple[bytes, bytes]]) -> int:
    return sum(HEADER_BYTES + len(name) + len(value) for name, value in head)
