"""Connections to peers that send more than they were asked for."""

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from server.transport.bounded_answers import (
    MOST_INFORMATIONAL,
    SLICE_BYTES,
    BoundedResponseHandler,
    SentTooMuch,
    bound_answers,
)

HINT = b"HTTP/1.1 103 E\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Transport(asyncio.Transport):
    """Notes what the protocol does to it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False
        self.reads = True

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


def connected(**params: Any) -> tuple[BoundedResponseHandler, Transport]:
    """Return a connection over which a request has been sent."""
    handler, transport = BoundedResponseHandler(asyncio.get_running_loop()), Transport()
    handler.connection_made(transport)
    handler.set_response_params(**params)
    return handler, transport


async def test_aiohttp_still_has_what_is_relied_on() -> None:
    """Fails when a release of aiohttp renames one: then look whether the limits still hold."""
    connector = aiohttp.TCPConnector()
    assert callable(connector._factory)
    assert isinstance(connector._factory(), ResponseHandler)
    bound_answers(connector)
    assert isinstance(connector._factory(), BoundedResponseHandler)
    await connector.close()
    handler = ResponseHandler(asyncio.get_running_loop())
    for name in ("_upgraded", "_payload", "_payload_parser", "_reading_paused", "_buffer"):
        assert hasattr(handler, name), name
    for name in ("data_received", "feed_data", "set_response_params", "is_connected"):
        assert callable(getattr(ResponseHandler, name)), name


async def test_every_new_connection_of_a_connector_is_bounded() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HINT * (MOST_INFORMATIONAL + 1) + EMPTY)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession(connector=bound_answers(aiohttp.TCPConnector())) as http:
            with pytest.raises(SentTooMuch):
                await http.get(f"http://127.0.0.1:{port}/")


async def test_some_informational_answers_pass() -> None:
    handler, transport = connected()
    handler.data_received(HINT * MOST_INFORMATIONAL + EMPTY)
    codes = [(await handler.read())[0].code for _ in range(MOST_INFORMATIONAL + 1)]
    assert codes == [103] * MOST_INFORMATIONAL + [200]
    assert not transport.is_aborted
    assert not handler.should_close


@pytest.mark.parametrize("pieces", [1, 1_000])
async def test_informational_answers_without_an_end_are_not_collected(pieces: int) -> None:
    handler, transport = connected()
    for _ in range(100_000 // pieces):
        handler.data_received(HINT * pieces)
    assert transport.is_aborted
    assert len(handler._buffer) == MOST_INFORMATIONAL


@pytest.mark.parametrize("later", [False, True])
async def test_a_second_answer_ends_the_connection_and_not_the_first(later: bool) -> None:
    handler, transport = connected()
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    for data in (first, EMPTY * 10_000) if later else (first + EMPTY * 10_000,):
        handler.data_received(data)
    assert transport.is_aborted
    assert not handler.is_connected()
    assert handler.should_close
    message, body = await handler.read()
    assert message.code == 200
    assert await body.read() == b"ok"
    with pytest.raises(SentTooMuch):
        await handler.read()


async def test_what_comes_before_a_request_ends_the_connection() -> None:
    handler, transport = BoundedResponseHandler(asyncio.get_running_loop()), Transport()
    handler.connection_made(transport)
    handler.data_received(EMPTY)
    assert transport.is_aborted


async def test_a_connection_serves_one_request_after_another() -> None:
    handler, transport = connected()
    for _ in range(3):
        handler.data_received(HINT * MOST_INFORMATIONAL + EMPTY)
        for _ in range(MOST_INFORMATIONAL + 1):
            await handler.read()
        handler.set_response_params()
    assert not transport.is_aborted


async def test_a_long_body_passes_and_waits_for_its_reader() -> None:
    handler, transport = connected(read_bufsize=1024)
    content = bytes(range(256)) * 4 * 300
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content)
    handler.data_received(head + content)
    assert not transport.reads
    _, body = await handler.read()
    assert await body.read() == content
    assert transport.reads
    assert not transport.is_aborted


async def test_after_an_upgrade_everything_passes() -> None:
    handler, transport = connected(read_bufsize=10 * SLICE_BYTES)
    head = b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    handler.data_received(head + b"x" * SLICE_BYTES)
    handler.data_received(b"y" * 3 * SLICE_BYTES)
    assert not transport.is_aborted
    assert bytes(handler._tail) == b"x" * SLICE_BYTES + b"y" * 3 * SLICE_BYTES
