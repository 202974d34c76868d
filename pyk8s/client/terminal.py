"""A shell in a cluster for programs: it goes on at its byte when a connection is lost."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from pyk8s.client import errors
from pyk8s.client.backoff import Backoff
from pyk8s.client.config import Endpoint
from pyk8s.client.http import PREFIX, api_problem, is_loopback, user_agent
from pyk8s.client.stream import (
    CLOSE_SECONDS,
    OPEN_SECONDS,
    PATIENCE_SECONDS,
    STOP_CODES,
    Connected,
    Listener,
    Reconnecting,
)
from pyk8s.wire.terminals import TERMINAL_SUBPROTOCOL, Exited

PIECE_BYTES = 16 * 1024
"""Of what is typed, in one frame; the server takes 64 KiB."""

PING_SECONDS = 10.0
"""Between two pings, and for the answer to one: a dead connection is found out by then."""

TRY_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS})
SIGN_IN = 4501


@dataclass(frozen=True, slots=True)
class Ended:
    """How a terminal ended. `code`: the shell's own, None when it was ended from outside."""

    code: int | None
    reason: str


class Terminal:
    """One terminal. `output` has to be taken for anything to happen."""

    def __init__(
        self,
        endpoint: Endpoint,
        cluster: str,
        *,
        backoff: Backoff,
        rows: int,
        cols: int,
        session: UUID | None = None,
        pod: str | None = None,
        container: str | None = None,
        on_state: Listener | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`session`: one that is there; without it a new one is opened.

        `pod` is `namespace/name`. `on_state` hears of lost connections.
        """
        self._endpoint = endpoint
        self._path = f"{PREFIX}/clusters/{quote(cluster, safe='')}/terminal"
        self._backoff = backoff
        self._size = (rows, cols)
        self._wish = {"pod": pod, "container": container}
        self._tell = on_state or (lambda _: None)
        self._patience_seconds = patience_seconds
        self._offset: int | None = None
        self._socket: ClientConnection | None = None
        self._attached = asyncio.Event()
        self.session = session
        self.ended: Ended | None = None
        """How it ended, once it has."""
        self.lost_bytes = 0
        """How much output was not kept while there was no connection."""

    async def output(self) -> AsyncGenerator[bytes]:
        """Give what the terminal puts out, until it has ended; reconnects by itself.

        Raises:
            StreamRefused: the server closed it for good, or never opened a shell.
            Unauthenticated, Forbidden, NotFound, Invalid: the server did not even listen.
            Unreachable: no connection for `patience_seconds`.
        """
        attempt, lost_at = 0, self._backoff.clock()
        while True:
            try:
                async with self._connect() as socket:
                    async for data in self._attend(socket):
                        if attempt:
                            self._tell(Connected())
                            attempt = 0
                        yield data
                        lost_at = self._backoff.clock()
                    return
            except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake) as error:
                cause = self._cause(error)
            finally:
                self._attached.clear()
                self._socket = None
            if self._backoff.clock() - lost_at > self._patience_seconds:
                raise errors.Unreachable(
                    f"The terminal at {self._endpoint.url} is lost: {cause}",
                    fix="A shell lives on for two minutes without a client; open another one.",
                )
            attempt += 1
            pause = self._backoff.delay(attempt)
            self._tell(Reconnecting(attempt, pause, cause))
            await self._backoff.sleep(pause)

    async def write(self, data: bytes) -> None:
        """Type. Waits for a connection; after the end nothing happens."""
        for first in range(0, len(data), PIECE_BYTES):
            await self._send(data[first : first + PIECE_BYTES])

    async def resize(self, rows: int, cols: int) -> None:
        """Tell the size of the window, now and after each lost connection."""
        self._size = (rows, cols)
        if self._attached.is_set():
            await self._send(json.dumps({"type": "resize", "rows": rows, "cols": cols}))

    async def _send(self, frame: bytes | str) -> None:
        while self.ended is None:
            await self._attached.wait()
            socket = self._socket
            if socket is None:
                continue
            try:
                await socket.send(frame)
            except ConnectionClosed:
                await asyncio.sleep(0)  # `output` sees it too, and makes another
                if self._socket is socket:
                    self._attached.clear()
                continue
            return

    def _connect(self) -> connect:
        rows, cols = self._size
        query: dict[str, Any] = {"rows": rows, "cols": cols}
        if self.session is None:
            query |= {name: value for name, value in self._wish.items() if value is not None}
        else:
            query["session"] = self.session
            if self._offset is not None:
                query["offset"] = self._offset
        token = self._endpoint.token
        return connect(
            f"ws{self._endpoint.url.removeprefix('http')}{self._path}?{urlencode(query)}",
            subprotocols=[Subprotocol(TERMINAL_SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {token}"} if token else {},
            user_agent_header=user_agent(),
            compression=None,
            proxy=None if is_loopback(self._endpoint.url) else True,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
        )

    async def _attend(self, socket: ClientConnection) -> AsyncGenerator[bytes]:
        said: Mapping[str, Any] = {}
        try:
            async for frame in socket:
                if isinstance(frame, bytes):
                    self._offset = (self._offset or 0) + len(frame)
                    yield frame
                    continue
                told = json.loads(frame)
                match told.get("type"):
                    case "attached":
                        self.session = UUID(told["session"])
                        self._offset = int(told["offset"])
                        self.lost_bytes += int(told.get("lost") or 0)
                        self._socket = socket
                        self._attached.set()
                        yield b""
                    case "exit":
                        exited = Exited.model_validate(told)
                        self.ended = Ended(exited.code, exited.reason)
                        self._attached.set()  # nobody waits for a connection any more
                        return
                    case "error":
                        said = told
            # The loop also ends without an error where the server closed with 1000 or 1001.
            raise OSError("the server closed the connection")
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else 1006
            if code not in STOP_CODES:
                raise
            raise errors.StreamRefused(
                code,
                str(said.get("detail") or f"The server closed the terminal ({code})."),
                fix="Sign in again: pyk8s login" if code == SIGN_IN else said.get("fix"),
            ) from error

    def _cause(self, error: Exception) -> str:
        """Say why there is no connection; raise when making another one would be in vain."""
        match error:
            case ConnectionClosed():
                return (error.rcvd.reason if error.rcvd else "") or "the connection was cut"
            case InvalidStatus(response=response):
                status = response.status_code
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in TRY_AGAIN:
                    return f"the server answers HTTP {status}"
                raise api_problem(status, bytes(response.body or b""), None) from error
            case InvalidHandshake():
                return "the server hung up"
            case TimeoutError():
                return "the server fell silent"
            case _:
                return str(error) or type(error).__name__
