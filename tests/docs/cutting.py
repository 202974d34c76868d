"""A relay in front of a server that cuts connections, as networks do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

CHUNK = 512


class Relay:
    """Hands bytes on; the first connections are cut, each after so many bytes of the server."""

    def __init__(self, port: int, *, cuts: int, after_bytes: int) -> None:
        self._port = port
        self._left = cuts
        self._after_bytes = after_bytes
        self._open: set[asyncio.StreamWriter] = set()
        self.cuts = 0
        self.base_url = ""

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int, *, cuts: int, after_bytes: int) -> AsyncIterator[Self]:
        """Listen on a port of its own."""
        relay = cls(port, cuts=cuts, after_bytes=after_bytes)
        listener = await asyncio.start_server(relay._serve, "127.0.0.1", 0)
        relay.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        try:
            yield relay
        finally:
            listener.close()
            relay.cut()

    def cut(self) -> None:
        """Cut what is open now."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_cut, self._left = self._left > 0, self._left - 1
        self._open.add(writer)
        try:
            upstream, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(to_server)
        asking = asyncio.create_task(self._hand_on(reader, to_server, None))
        with suppress(OSError):
            if await self._hand_on(upstream, writer, self._after_bytes if is_cut else None):
                self.cuts += 1
        for each in (writer, to_server):
            each.transport.abort()
            self._open.discard(each)
        await asyncio.gather(asking, return_exceptions=True)

    async def _hand_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None
    ) -> bool:
        """Tell whether it ended because there was enough."""
        handed = 0
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
            handed += len(chunk)
            if most is not None and handed >= most:
                return True
        return False
