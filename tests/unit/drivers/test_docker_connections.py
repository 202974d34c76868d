"""What holds a connection to Docker for long takes none from what asks shortly."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.drivers.base import DriverError
from server.drivers.docker import MOST_EXECS, Container, DockerEngine
from server.drivers.docker_shell import DockerShell

SHELLS = 110
"""More than the 100 connections that an aiohttp connector has by default."""

NODE = Container(id="node", name="node", cluster="x", state="running")


class FakeDocker:
    """Answers on a socket what the engine asks. A program of a node runs until it is let go."""

    def __init__(self) -> None:
        self.running = 0
        self.most_running = 0
        self.ends = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = 0
                for line in head.lower().split("\r\n"):
                    if line.startswith("content-length:"):
                        length = int(line.partition(":")[2])
                await reader.readexactly(length)
                path = head.split(" ")[1].partition("?")[0]
                if path.endswith("/start"):
                    await self._run(reader, writer)
                    return
                body = json.dumps(self._answer(path)).encode()
                said = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d"
                writer.write(said % len(body) + b"\r\n\r\n" + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str) -> Any:
        if path.endswith("/version"):
            return {"ApiVersion": "1.43"}
        if path.endswith("/containers/json"):
            return []
        return {"Id": "run", "Running": False, "ExitCode": 0}

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 101 UPGRADED\r\ncontent-type: application/vnd.docker.raw-stream\r\n"
            b"connection: Upgrade\r\nupgrade: tcp\r\n\r\n"
        )
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        gone = asyncio.create_task(reader.read())
        ends = asyncio.create_task(self.ends.wait())
        try:
            await asyncio.wait({gone, ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            ends.cancel()
            self.running -= 1


@pytest.fixture
async def docker(tmp_path: Path) -> AsyncIterator[FakeDocker]:
    fake = FakeDocker()
    server = await asyncio.start_unix_server(fake.serve, tmp_path / "docker.sock")
    yield fake
    fake.ends.set()
    server.close()


async def shell_of(engine: DockerEngine) -> DockerShell:
    async def end() -> None:
        pass

    return await engine.shell("node", ["sh"], {}, rows=24, cols=80, end=end)


async def until_running(docker: FakeDocker, count: int) -> None:
    async with asyncio.timeout(20):
        while docker.running != count:
            await asyncio.sleep(0.01)


async def test_open_shells_take_no_connection_from_short_questions(
    docker: FakeDocker, tmp_path: Path
) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/docker.sock")
    shells: list[DockerShell] = []
    try:
        async with asyncio.timeout(60):
            shells += await asyncio.gather(*(shell_of(engine) for _ in range(SHELLS)))
            assert docker.running == SHELLS
            assert await engine.nodes() == []
            assert (await engine.info())["Id"] == "run"
            await asyncio.gather(*(engine.nodes() for _ in range(20)))
            for shell in shells:
                await shell.close()
            await shells[0].resize(1, 1)  # after its end, as the contract has it, nothing happens
            assert await shells[0].exit_code() is None
        await until_running(docker, 0)
    finally:
        await engine.close()


async def test_programs_that_never_end_take_no_connection_from_short_questions(
    docker: FakeDocker, tmp_path: Path
) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/docker.sock")
    asking = [
        asyncio.create_task(engine.output(NODE, ["sleep"], limit=1000)) for _ in range(SHELLS)
    ]
    try:
        await until_running(docker, MOST_EXECS)
        async with asyncio.timeout(20):
            assert await engine.nodes() == []
        assert docker.most_running == MOST_EXECS
        docker.ends.set()
        async with asyncio.timeout(20):
            assert {*await asyncio.gather(*asking)} == {b""}
    finally:
        await engine.close()


async def test_a_program_that_never_ends_is_given_up(docker: FakeDocker, tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/docker.sock", exec_seconds=0.2)
    try:
        async with asyncio.timeout(20):
            with pytest.raises(DriverError):
                await engine.output(NODE, ["sleep"], limit=1000)
            with pytest.raises(DriverError):
                await engine.execute("node", ["sleep"], {})
        await until_running(docker, 0)
    finally:
        await engine.close()
