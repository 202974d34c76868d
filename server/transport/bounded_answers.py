"""HTTP/1.1 connections of aiohttp's client to peers that are not trusted.

aiohttp puts every parsed message into a queue without a limit, and reads on while nobody takes
them. A peer that sends answers that nobody asked for, or informational answers without an end,
fills the memory and keeps the event loop busy. `bound_answers` makes a connector abort such a
connection. aiohttp has no public setting for this, so private attributes are used;
`tests/unit/test_bounded_answers.py` fails when aiohttp changes one of them.
"""

import asyncio
from typing import Any, Final

import aiohttp
from aiohttp import StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import set_exception
from aiohttp.http import RawResponseMessage

MOST_INFORMATIONAL: Final = 16
"""Answers 1xx to one request. Servers send one or two (100, 103)."""
SLICE_BYTES: Final = 16 * 1024
"""What the parser gets at once. It takes all of it before anything can be refused: 16 KiB hold at
most about 900 messages, which take 1 ms; 256 KiB of them took 80 to 190 ms."""


class SentTooMuch(aiohttp.ClientConnectionError):
    """The peer sent an answer that nobody had asked for, or informational ones without an end."""


class BoundedResponseHandler(ResponseHandler):
    """A connection that is aborted when its peer sends more than one final answer to a request."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._is_awaiting = False
        """A request is under way whose final answer has not begun."""
        self._informational = 0
        self._held = b""
        """What was received and waits for the reader of a body."""
        self._has_refused = False

    def set_response_params(self, **params: Any) -> None:
        """Expect one answer. aiohttp calls this before it sends a request."""
        self._is_awaiting, self._informational = True, 0
        super().set_response_params(**params)

    def is_connected(self) -> bool:
        """Return whether the connection can be used for another request."""
        return not self._has_refused and super().is_connected()

    def data_received(self, data: bytes) -> None:
        """Parse what comes in slices. aiohttp passes `b""` when reading goes on after a pause."""
        if self._has_refused:
            return
        if self._is_switched():
            super().data_received(data)  # which bounds what it keeps
            return
        if not data:
            super().data_received(data)
        held, self._held = self._held + data, b""
        for start in range(0, len(held), SLICE_BYTES):
            if self._has_refused:
                return
            if self._reading_paused and not self._is_switched():
                self._held = held[start:]
                return
            if self._is_idle():
                self._refuse("it sent something that nobody had asked for")
                return
            super().data_received(held[start : start + SLICE_BYTES])

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take one parsed head. At most 17 are kept for a request: 16 informational, one final."""
        if self._has_refused:
            return
        code = data[0].code
        if 100 <= code < 200 and code != 101:  # noqa: PLR2004 -- as in RFC 9110
            self._informational += 1
            if self._informational > MOST_INFORMATIONAL:
                self._refuse(f"it sent more than {MOST_INFORMATIONAL} informational answers")
                return
        elif not self._is_awaiting:
            self._refuse("it sent a second answer to one request")
            return
        else:
            self._is_awaiting = False
        super().feed_data(data, size)

    def _is_switched(self) -> bool:
        return self._upgraded or self._payload_parser is not None

    def _is_idle(self) -> bool:
        is_over = self._payload is None or self._payload.is_eof()
        return is_over and not self._is_awaiting and not self._is_switched()

    def _refuse(self, why: str) -> None:
        """Abort the connection. A whole answer that has come before stays readable."""
        self._has_refused, self._held = True, b""
        error = SentTooMuch(why)
        payload = self._payload
        self.set_exception(error)
        if payload is not None and not payload.is_eof():
            set_exception(payload, error)
        if self.transport is not None:
            self.transport.abort()


def bound_answers(connector: aiohttp.BaseConnector) -> aiohttp.BaseConnector:
    """Make every new connection of a connector a `BoundedResponseHandler`; return the connector."""
    loop = asyncio.get_running_loop()
    connector._factory = lambda: BoundedResponseHandler(loop)  # type: ignore[assignment]
    return connector
