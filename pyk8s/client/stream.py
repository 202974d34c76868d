"""Follow a cluster over the WebSocket, across lost connections and restarts of the server."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from http import HTTPStatus

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
)
from websockets.typing import Subprotocol

from pyk8s.client import errors
from pyk8s.client.backoff import Backoff
from pyk8s.client.config import Endpoint
from pyk8s.client.frames import Followed, Reader
from pyk8s.client.http import PREFIX, api_problem, is_loopback, user_agent
from pyk8s.wire.frames import SUBPROTOCOL

OPEN_SECONDS = 10.0
CLOSE_SECONDS = 2.0
SHORTEST_SILENCE_SECONDS = 30.0
"""A connection without any frame for so long, and for three heartbeats, is taken for dead.

After half of it the server is asked for a sign of life.
"""

STILL_THERE = '{"type": "ping", "nonce": "still there?"}'

LARGEST_FRAME_BYTES = 16 * 1024 * 1024
PATIENCE_SECONDS = 300.0

STOP_CODES = range(4500, 5000)
HOPELESS_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
_MEANING = {
    4500: "The server could not read what this program sent.",
    4501: "The login is not valid or has expired.",
    4503: "This login may not follow the cluster.",
    4504: "There is no such cluster.",
    4510: "The server's log is another one than before: it was wiped, or the position is unknown.",
}
_WAY_OUT = {
    4501: "Sign in again: pyk8s login",
    4510: "Fetch the cluster again, and follow it from the beginning.",
}


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection is lost; `attempt` (from 1) follows in `delay_seconds`."""

    attempt: int
    delay_seconds: float
    cause: str


@dataclass(frozen=True, slots=True)
class Connected:
    """The stream is live."""


StreamState = Reconnecting | Connected
Listener = Callable[[StreamState], None]


async def follow(
    endpoint: Endpoint,
    reader: Reader,
    *,
    backoff: Backoff,
    on_state: Listener | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> AsyncGenerator[Followed]:
    """Give every event after the reader's cursor, in order, until the cluster has ended.

    A lost connection is made again with the cursor, after a pause with full jitter; it is
    given up when none could be made for `patience_seconds`. Where the server keeps the
    connection and cannot read the log for a while, it is asked again on it, in the same way.

    Raises:
        StreamRefused: the server closed the stream for good.
        Unauthenticated, Forbidden: the server did not even open it.
        GapDetected: events are missing, a bug.
        Unreachable: no connection within `patience_seconds`.
    """
    pauses = _Pauses(endpoint, backoff, on_state or _silent, patience_seconds)
    while True:
        try:
            async with _socket(endpoint) as socket:
                await _subscribe(socket, reader)
                while not reader.is_ended:
                    is_progress, followed = reader.feed(await _frame(socket, reader))
                    if is_progress:
                        pauses.begin_anew()
                    for item in followed:
                        yield item
                    if is_progress:  # whoever takes the items may take long
                        pauses.begin_anew()
                    if reader.is_interrupted:
                        await pauses.wait(reader, "the server cannot read the log now")
                        await _subscribe(socket, reader)
                return
        except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake) as error:
            cause = _cause(error, endpoint)
        await pauses.wait(reader, cause)


class _Pauses:
    """Waits longer each time, until there is progress; not for ever."""

    def __init__(
        self, endpoint: Endpoint, backoff: Backoff, tell: Listener, patience_seconds: float
    ) -> None:
        self._endpoint = endpoint
        self._backoff = backoff
        self._tell = tell
        self._patience_seconds = patience_seconds
        self._attempt = 0
        self._lost_at = backoff.clock()

    def begin_anew(self) -> None:
        """There is progress."""
        if self._attempt:
            self._tell(Connected())
        self._attempt = 0
        self._lost_at = self._backoff.clock()

    async def wait(self, reader: Reader, cause: str) -> None:
        """Say that the stream is lost, and wait.

        Raises:
            Unreachable: it has been lost for too long.
        """
        if self._backoff.clock() - self._lost_at > self._patience_seconds:
            raise errors.Unreachable(
                f"The stream from {self._endpoint.url} is lost, and did not come back for "
                f"{self._patience_seconds:g} s: {cause}",
                fix="When the server is up again, follow from where you were: nothing is lost.",
            )
        self._attempt += 1
        pause = reader.retry_after_seconds + self._backoff.delay(self._attempt)
        reader.retry_after_seconds = 0.0
        self._tell(Reconnecting(self._attempt, pause, cause))
        await self._backoff.sleep(pause)


def _silent(_: StreamState) -> None:
    """Nobody asked."""


def _socket(endpoint: Endpoint) -> connect:
    headers = {"Authorization": f"Bearer {endpoint.token}"} if endpoint.token else {}
    return connect(
        "ws" + endpoint.url.removeprefix("http") + PREFIX + "/stream",
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        additional_headers=headers,
        user_agent_header=user_agent(),
        compression=None,
        proxy=None if is_loopback(endpoint.url) else True,
        open_timeout=OPEN_SECONDS,
        close_timeout=CLOSE_SECONDS,
        max_size=LARGEST_FRAME_BYTES,
    )


async def _subscribe(socket: ClientConnection, reader: Reader) -> None:
    async with asyncio.timeout(OPEN_SECONDS):
        await socket.send(reader.subscription())


async def _frame(socket: ClientConnection, reader: Reader) -> str | bytes:
    silence = max(SHORTEST_SILENCE_SECONDS, 3 * (reader.heartbeat_seconds or 0.0))
    # Not wait_for: before Python 3.12 it forgets a cancellation that comes together with a frame,
    # and whoever pressed Ctrl-C just then would wait for ever.
    try:
        async with asyncio.timeout(silence / 2):
            return await socket.recv()
    except TimeoutError:  # a server whose database is away has nothing to tell, but it answers
        await socket.send(STILL_THERE)
    async with asyncio.timeout(silence / 2):
        return await socket.recv()


def _cause(error: Exception, endpoint: Endpoint) -> str:
    """Say why the connection is lost; raise when making it again would be in vain."""
    match error:
        case ConnectionClosed():
            code = error.rcvd.code if error.rcvd else 1006
            reason = error.rcvd.reason if error.rcvd else ""
            if code in STOP_CODES or code in HOPELESS_CODES:
                raise errors.StreamRefused(
                    code,
                    _MEANING.get(code) or reason or f"The server closed the stream ({code}).",
                    fix=_WAY_OUT.get(code),
                ) from error
            return reason or f"closed with code {code}"
        case InvalidStatus(response=response):
            status = response.status_code
            if status in {401, 403}:
                raise api_problem(status, bytes(response.body or b""), None) from error
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
                return f"the server answers HTTP {status}"
            raise _no_stream(endpoint, f"HTTP {status}") from error
        case InvalidMessage():
            return "the server hung up"
        case InvalidHandshake():
            raise _no_stream(endpoint, str(error)) from error
        case TimeoutError():
            return "the server fell silent"
        case _:
            return str(error) or type(error).__name__


def _no_stream(endpoint: Endpoint, what: str) -> errors.Misunderstood:
    return errors.Misunderstood(
        f"{endpoint.url} has no stream of PyK8s-Lab: {what}.",
        fix="Check --url and PYK8S_URL, and whether a proxy in between lets WebSockets through.",
    )
