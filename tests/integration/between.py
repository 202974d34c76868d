"""What stands between a server and its PostgreSQL, and can let nothing through for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

NAME = ".s.PGSQL.5432"


class Between:
    """Passes on what comes, unless it is away."""

    def __init__(self, address: str, directory: Path) -> None:
        parts = urlsplit(address)
        self._socket = f"{parse_qs(parts.query)['host'][0]}/{NAME}"
        self.directory = directory
        self.address = f"postgresql://{parts.username}@{parts.path}?host={quote(str(directory))}"
        self._open: set[asyncio.StreamWriter] = set()
        self._is_away = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_away:
            writer.transport.abort()
            return
        beyond, back = await asyncio.open_unix_connection(self._socket)
        self._open |= {writer, back}
        try:
            await asyncio.gather(pass_on(reader, back), pass_on(beyond, writer))
        finally:
            self._open -= {writer, back}

    def go_away(self) -> None:
        """Break all connections, and take no new ones."""
        self._is_away = True
        for writer in self._open:
            writer.transport.abort()

    def come_back(self) -> None:
        self._is_away = False


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def between(address: str, directory: Path) -> AsyncIterator[Between]:
    """Stand before the PostgreSQL of an address; the directory has to have a short path."""
    stands = Between(address, directory)
    server = await asyncio.start_unix_server(stands.serve, directory / NAME)
    try:
        yield stands
    finally:
        server.close()
        stands.go_away()
