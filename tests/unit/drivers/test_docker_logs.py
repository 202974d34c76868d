"""The log of a node, whose owner decides how long a line is."""

import struct
import tracemalloc

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server.drivers.docker import Container, DockerEngine

LIMIT = 64 * 1024
PIECE = 16 * 1024
PIECES = 4096
NODE = Container(id="node", name="node", cluster="c", state="running")


@pytest.mark.parametrize("is_tty", [True, False])
async def test_one_endless_line_is_not_held_whole(*, is_tty: bool) -> None:
    async def shown(_: web.Request) -> web.Response:
        return web.json_response({"Config": {"Tty": is_tty}})

    async def logs(request: web.Request) -> web.StreamResponse:
        assert request.query["tail"] == "7"
        answer = web.StreamResponse()
        await answer.prepare(request)
        head = b"" if is_tty else struct.pack(">BxxxL", 1, PIECE)
        for _ in range(PIECES):
            await answer.write(head + b"x" * PIECE)
        end = b"the end"
        await answer.write((b"" if is_tty else struct.pack(">BxxxL", 1, len(end))) + end)
        return answer

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"ApiVersion": "1.41"})

    app = web.Application()
    app.router.add_get("/{version:.*}/containers/node/json", shown)
    app.router.add_get("/{version:.*}/containers/node/logs", logs)
    app.router.add_get("/{path:.*}", version)
    async with TestServer(app) as docker:
        engine = DockerEngine(f"http://{docker.host}:{docker.port}")
        tracemalloc.start()
        try:
            said = await engine.logs(NODE, lines=7, limit=LIMIT)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            await engine.close()
    assert len(said) == LIMIT
    assert said.endswith(b"xthe end")
    assert peak < PIECE * PIECES / 4
