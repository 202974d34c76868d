"""A program in a container, behind a terminal that Docker keeps."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiodocker
import aiohttp
import anyio
from aiodocker.exceptions import DockerError
from aiodocker.execs import Exec
from aiodocker.stream import Stream

from server.drivers.base import DriverError
from server.telemetry import get_logger

DETACH_KEYS: Final = "ctrl-@,ctrl-^,ctrl-@,ctrl-^"
"""Docker keeps back the first of these until it has seen the next: so it is one that hardly
anybody types. Left out, it is Ctrl-P, by which people walk back in their history."""

ASK_SECONDS: Final = 5.0
TRIES: Final = 20
TRY_SECONDS: Final = 0.05
"""Docker knows how a program ended a little after it has closed its output."""

log = get_logger(__name__)


class DockerShell:
    """A running program. `end` is called once when it is hung up on: Docker lets it live on.

    `client` is its own, and closed with it: it holds a connection for as long as it lives.
    """

    def __init__(
        self,
        client: aiodocker.Docker,
        run: Exec,
        stream: Stream,
        end: Callable[[], Awaitable[None]],
    ) -> None:
        self._client = client
        self._run = run
        self._stream = stream
        self._end = end
        self._is_closed = False

    async def read(self) -> bytes:
        """Wait for output and give it; b"" at the end, also when Docker itself has gone."""
        if self._is_closed:
            return b""
        try:
            message = await self._stream.read_out()
        except (aiohttp.ClientError, OSError):
            return b""
        return message.data if message is not None else b""

    async def write(self, data: bytes) -> None:
        """Type. Waits while the program does not take it."""
        if not self._is_closed:
            # A connection that has gone is told by `read`.
            with contextlib.suppress(aiohttp.ClientError, OSError, AssertionError):
                await self._stream.write_in(data)

    async def resize(self, rows: int, cols: int) -> None:
        """Tell the size of the window."""
        if self._is_closed:
            return
        with contextlib.suppress(aiohttp.ClientError, OSError, DockerError):
            with anyio.move_on_after(ASK_SECONDS):
                await self._run.resize(h=rows, w=cols)

    async def exit_code(self) -> int | None:
        """Ask Docker how it ended. It cannot be asked any more when this is closed."""
        if self._is_closed:
            return None
        with contextlib.suppress(aiohttp.ClientError, OSError, DockerError):
            with anyio.move_on_after(ASK_SECONDS):
                for _ in range(TRIES):
                    found = await self._run.inspect()
                    if not found.get("Running"):
                        code = found.get("ExitCode")
                        return code if isinstance(code, int) else None
                    await anyio.sleep(TRY_SECONDS)
        return None

    async def close(self) -> None:
        """Close the connection, and end what runs."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(aiohttp.ClientError, OSError, AssertionError):
            await self._stream.close()
        try:
            with anyio.move_on_after(ASK_SECONDS):
                await self._end()
        except (DriverError, DockerError, aiohttp.ClientError, OSError) as error:
            log.info("shell_not_ended", reason=str(error))  # its container has gone, mostly
        finally:
            await self._client.close()


@asynccontextmanager
async def _closing(stream: Stream) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(aiohttp.ClientError, OSError, AssertionError):
            await stream.close()
        raise


async def start(
    client: aiodocker.Docker,
    container: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    rows: int,
    cols: int,
    end: Callable[[], Awaitable[None]],
) -> DockerShell:
    """Start a program in a container, on a terminal. `client` goes to what is given.

    Raises:
        DockerError, aiohttp.ClientError, OSError: Docker does not answer or refuses.
    """
    run = await client.containers.container(container).exec(
        list(argv),
        stdin=True,
        tty=True,
        environment=dict(env),
        workdir="/root",
        detach_keys=DETACH_KEYS,
    )
    stream = run.start(detach=False)
    async with _closing(stream):
        await stream.__aenter__()
        shell = DockerShell(client, run, stream, end)
        await shell.resize(rows, cols)
        return shell
