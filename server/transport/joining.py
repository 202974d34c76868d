"""Two connections made one: bytes pass both ways as they are."""

import asyncio
from contextlib import suppress
from typing import Final

import anyio
from anyio.abc import ByteStream

PIECE_BYTES: Final = 64 * 1024


async def join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: ByteStream
) -> None:
    """Pass bytes both ways until one side has closed, and all that it said is passed on.

    Raises:
        BrokenResourceError: the stream broke, and says why.
    """
    broken: anyio.BrokenResourceError | None = None
    async with anyio.create_task_group() as tasks:

        async def onwards() -> None:
            with suppress(OSError, anyio.BrokenResourceError):
                while piece := await reader.read(PIECE_BYTES):
                    await stream.send(piece)
            tasks.cancel_scope.cancel()

        async def back() -> None:
            nonlocal broken
            try:
                async for piece in stream:
                    writer.write(piece)
                    await writer.drain()
            except OSError:
                pass  # the side of the writer has gone
            except anyio.BrokenResourceError as error:
                broken = error
            tasks.cancel_scope.cancel()

        tasks.start_soon(onwards)
        tasks.start_soon(back)
    if broken is not None and str(broken):
        raise broken
