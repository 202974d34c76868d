"""Connections into apps: those in use stay, however many others are opened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from uuid import UUID, uuid4

import anyio
import pytest
from anyio.abc import ByteStream

from server.apps.bridge import MOST, MOST_BUSY, Bridges, TooManyBusy

PIECES = 50
PIECE = b"x" * 10_000


class App:
    """A server whose answer comes piece by piece, when the test says so."""

    def __init__(self) -> None:
        self.port = 0
        self.goes_on = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (PIECES * len(PIECE)))
        writer.write(PIECE)
        await self.goes_on.wait()
        writer.write(PIECE * (PIECES - 1))
        await writer.drain()
        writer.close()

    async def dial(self) -> ByteStream:
        return await anyio.connect_tcp("127.0.0.1", self.port)


@pytest.fixture
async def app() -> AsyncIterator[App]:
    app = App()
    server = await asyncio.start_server(app.serve, "127.0.0.1", 0)
    app.port = server.sockets[0].getsockname()[1]
    yield app
    server.close()


@pytest.fixture
async def bridges() -> AsyncIterator[Bridges]:
    made = Bridges()
    yield made
    await made.aclose()


async def test_a_download_goes_on_while_many_other_apps_are_opened(
    app: App, bridges: Bridges
) -> None:
    attempt, bob = uuid4(), uuid4()

    async def touch(app_id: UUID, user_id: UUID) -> None:
        await bridges.session(app_id, attempt, user_id, app.dial)
        with bridges.holding(app_id, attempt):
            pass

    first = uuid4()
    session = await bridges.session(first, attempt, bob, app.dial)
    with bridges.holding(first, attempt):
        async with asyncio.timeout(20), session.get("http://app/") as answer:
            assert await answer.content.readexactly(10) == PIECE[:10]
            for _ in range(MOST + 10):
                await touch(uuid4(), uuid4())
            app.goes_on.set()
            assert len(await answer.read()) == PIECES * len(PIECE) - 10
        assert (await bridges.session(first, attempt, bob, app.dial)) is session
    assert not session.closed
    for _ in range(MOST):
        await touch(uuid4(), uuid4())
    async with asyncio.timeout(10):
        while not session.closed:  # nothing is open in it any more
            await asyncio.sleep(0.01)


async def test_one_user_has_so_many_open_and_others_all_the_same(
    app: App, bridges: Bridges
) -> None:
    attempt, ann, bob = uuid4(), uuid4(), uuid4()
    with ExitStack() as held:
        for _ in range(MOST_BUSY):
            each = uuid4()
            await bridges.session(each, attempt, ann, app.dial)
            held.enter_context(bridges.holding(each, attempt))
        with pytest.raises(TooManyBusy):
            await bridges.session(uuid4(), attempt, ann, app.dial)
        await bridges.session(each, attempt, ann, app.dial)  # one that is open already
        await bridges.session(uuid4(), attempt, bob, app.dial)
    await bridges.session(uuid4(), attempt, ann, app.dial)
