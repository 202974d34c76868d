"""`python -m server`: read the settings, listen, serve until told to stop."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import anyio
import uvicorn
from starlette.applications import Starlette

from server.api.guarded import GuardedHttp, GuardedWebSocket
from server.api.protocol import MAX_FRAME_BYTES, PING_SECONDS, PONG_SECONDS
from server.api.state import State
from server.app import create_app, running
from server.config import Settings, load
from server.errors import StartFailed
from server.telemetry import configure_log, get_logger

BACKLOG = 2048
SEND_BUFFER_BYTES = 64 * 1024
"""Without it the kernel swallows 2.8 MB for each reader that stalls, before anybody notices."""

UNACKNOWLEDGED_MS = 15_000
"""A peer that acknowledges nothing for so long is dropped; WebSocket pings alone never drop it."""

SILENT_SECONDS = 60
PROBE_SECONDS = 10
PROBES = 3
"""A peer that is asked nothing is probed: a reader of a log that has nothing new gets nothing, and
a machine that was switched off tells nobody."""

GRACE_SECONDS = 8
GOODBYE_SECONDS = 2.0
"""Streams may take so long to say their last words before their connections are closed."""

IDLE_SECONDS = 75
"""A connection without requests is kept longer than clients (httpx: 5 s) and proxies (often 60 s)
keep it: else a request may be on its way into one that is just being closed, and is lost."""

TCP_OPTIONS = {
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,
    "TCP_KEEPIDLE": SILENT_SECONDS,
    "TCP_KEEPINTVL": PROBE_SECONDS,
    "TCP_KEEPCNT": PROBES,
}


def listen(settings: Settings) -> socket.socket:
    """Open the listening socket; connections inherit its limits.

    Raises:
        StartFailed: the address is taken or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_OPTIONS.items():
        option = getattr(socket, name, None)  # not every system has them all
        if option is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartFailed(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}",
            fix="stop the program that uses the port, or choose another one with PYK8S_PORT "
            "(./restart.sh --port N)",
        ) from error
    return listener


class Server(uvicorn.Server):
    """Tells the streams that it stops before it closes them, and returns after a signal.

    uvicorn raises the signal once more when it is done, which would end the process before
    what stands around the server (workers, our own PostgreSQL) has been taken down.
    """

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in good order at SIGINT and SIGTERM; at once at the second SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody new, let each stream say its last words, then stop as uvicorn does."""
        for server in self.servers:
            server.close()
        self._state["streams"].stop()
        with anyio.move_on_after(GOODBYE_SECONDS):
            await self._state["streams"].emptied()
        await super().shutdown(sockets)


def configuration(app: Starlette) -> uvicorn.Config:
    """Say how uvicorn serves: limits, pings, and no log of its own for each request."""
    return uvicorn.Config(
        app,
        http=GuardedHttp,
        ws=GuardedWebSocket,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PONG_SECONDS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
    )


async def serve(settings: Settings) -> None:
    """Listen and serve until a signal comes."""
    log = get_logger(__name__)
    with listen(settings) as listener:
        async with running(settings) as state:
            log.info("server_started", url=f"http://{settings.host}:{settings.port}")
            server = Server(configuration(create_app(state)), state)
            await server.serve(sockets=[listener])
    log.info("server_stopped")


def main() -> int:
    """Run; give the exit status."""
    try:
        settings = load()
        configure_log(settings.log_format)
        with suppress(KeyboardInterrupt):
            anyio.run(serve, settings, backend_options={"use_uvloop": True})
    except StartFailed as error:
        sys.stderr.write(f"The server cannot start: {error.detail}\n")
        if error.fix:
            sys.stderr.write(f"  What to do: {error.fix}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
