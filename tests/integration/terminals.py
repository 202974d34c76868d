"""A client of terminals for tests: it keeps what it gets, and where that stands."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from tests.integration.conftest import Caller

PATIENCE_SECONDS = 20
PROTOCOL = [Subprotocol("pyk8s.terminal.v1")]


class Attached:
    """A connection to a terminal."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.told: list[dict[str, Any]] = []
        self.output = b""

    @property
    def session(self) -> str:
        return str(self.told[0]["session"])

    @property
    def offset(self) -> int:
        """Where the next byte stands."""
        return int(self.told[0]["offset"]) + len(self.output)

    async def take(self) -> None:
        """Take one frame."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            frame = await self.socket.recv()
        if isinstance(frame, bytes):
            self.output += frame
        else:
            self.told.append(json.loads(frame))

    async def until(self, text: str, *, after: int = 0) -> None:
        """Take frames until the output has a text."""
        while text.encode() not in self.output[after:]:
            await self.take()

    async def closed(self) -> int:
        """Take frames until the connection is closed; give the code."""
        try:
            while True:
                await self.take()
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 1006

    async def type(self, text: str) -> None:
        await self.socket.send(text.encode())

    async def say(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))


@asynccontextmanager
async def terminal(
    caller: Caller,
    cluster: str,
    *,
    headers: dict[str, str] | None = None,
    origin: str | None = None,
    **query: Any,
) -> AsyncIterator[Attached]:
    """Attach, and take the first frame."""
    url = caller.base_url.replace("http", "ws") + f"/api/v1/clusters/{cluster}/terminal"
    async with connect(
        f"{url}?{urlencode(query)}",
        subprotocols=PROTOCOL,
        additional_headers=headers or {"Authorization": f"Bearer {caller.token}"},
        origin=Origin(origin) if origin else None,
        compression=None,
        max_size=None,
        proxy=None,
        close_timeout=1,
    ) as socket:
        attached = Attached(socket)
        await attached.take()
        yield attached
