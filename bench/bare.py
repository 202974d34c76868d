"""`python -m bench.bare`: the baselines, on uvicorn as the server configures it, and nothing else.

WebSocket /idle accepts and waits. WebSocket /frames sends given frames to everybody after
`POST /go`. WebSocket and GET /replay send a table page by page, read with asyncpg.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from pyk8s.wire.frames import SUBPROTOCOL
from server.__main__ import configuration, listen
from server.config import Settings

PAGE = 1000
SELECT = "SELECT n, text FROM bench_texts WHERE n > $1 ORDER BY n LIMIT $2"


async def healthz(_: Request) -> Response:
    """Say that we listen."""
    return Response()


async def idle(websocket: WebSocket) -> None:
    """Accept, and wait for what does not come."""
    await websocket.accept(subprotocol=SUBPROTOCOL)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        return


class Frames:
    """Sends the frames of a file to every socket, when it is told to go."""

    def __init__(self, path: Path | None) -> None:
        self._frames: list[str] = orjson.loads(path.read_bytes()) if path is not None else []
        self._go = anyio.Event()

    async def go(self, _: Request) -> Response:
        """Let all that wait begin."""
        self._go.set()
        self._go = anyio.Event()
        return Response()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        del scope
        await receive()
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        await receive()
        await self._go.wait()
        for text in self._frames:
            await send({"type": "websocket.send", "text": text})
        await receive()


class Replay:
    """Sends a table in pages."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.pool: asyncpg.Pool | None = None

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Keep connections, as the server does."""
        if not self._url:
            yield
            return
        async with asyncpg.create_pool(self._url, min_size=2, max_size=4) as self.pool:
            yield

    async def pages(self) -> AsyncIterator[str]:
        """Give the frames."""
        assert self.pool is not None
        last = 0
        while True:
            async with self.pool.acquire() as connection:
                rows = await connection.fetch(SELECT, last, PAGE)
            if not rows:
                return
            last = rows[-1][0]
            inner = ",".join(row[1] for row in rows)
            yield f'{{"type":"events","topic":"bench","events":[{inner}]}}'

    async def over_http(self, _: Request) -> Response:
        """Send the same as the body of an answer."""
        return StreamingResponse(self.pages(), media_type="application/json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        del scope
        await receive()
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        await receive()
        async for text in self.pages():
            await send({"type": "websocket.send", "text": text})
        await send({"type": "websocket.send", "text": '{"type":"bookmark"}'})
        await receive()


async def serve() -> None:
    """Listen as the server does."""
    path = os.environ.get("BENCH_FRAMES")
    frames = Frames(Path(path) if path else None)
    replay = Replay(os.environ.get("BENCH_DATABASE_URL", ""))
    app = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/go", frames.go, methods=["POST"]),
            Route("/replay", replay.over_http),
            WebSocketRoute("/idle", idle),
            WebSocketRoute("/frames", frames),
            WebSocketRoute("/replay", replay),
        ],
        lifespan=replay.lifespan,
    )
    settings = Settings(driver="simulated")
    with listen(settings) as listener:
        await uvicorn.Server(configuration(app)).serve(sockets=[listener])


if __name__ == "__main__":
    anyio.run(serve, backend_options={"use_uvloop": True})
