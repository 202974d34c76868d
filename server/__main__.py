"""`python -m server`: read the settings, listen, serve until told to stop."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import anyio
import uvicorn
from starlette.types import ASGIApp

from server.api.application import create_app
from server.api.protocol import MAX_FRAME_BYTES, PING_SECONDS, PONG_SECONDS
from server.api.state import State
from server.app import relaying, running
from server.app.memory import give_back_free_memory
from server.config import Settings, load
from server.errors import StartFailed
from server.telemetry import configure_log, get_logger
from server.transport.accepting import policy_of
from server.transport.guarded_http import GuardedHttp
from server.transport.guarded_websocket import GuardedWebSocket
from server.transport.listening import IDLE_SECONDS, allow_open_files, open_listener
from server.transport.serving import CalmServer
from server.transport.unfinished import Unfinished
from server.transport.unsent import Unsent

GRACE_SECONDS = 8
GOODBYE_SECONDS = 2.0
"""Streams may take so long to say their last words before their connections are closed."""


class Server(CalmServer):
    """Tells the streams that it stops before it closes them, and returns after a signal.

    uvicorn raises the signal once more when it is done, which would end the process before
    what stands around the server (workers, our own PostgreSQL) has been taken down.
    """

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config, policy_of(state["settings"]))
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


def configuration(app: ASGIApp) -> uvicorn.Config:
    """Say how uvicorn serves: limits, pings, and no log of its own for each request."""
    return uvicorn.Config(
        app,
        http=partial(  # type: ignore[arg-type]
            GuardedHttp, unsent=Unsent(), unfinished=Unfinished()
        ),
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


def listen(settings: Settings) -> socket.socket:
    """Open the server's port.

    Raises:
        StartFailed: the address is taken or is not this machine's.
    """
    fix = "choose another one with PYK8S_PORT (./restart.sh --port N)"
    return open_listener(settings.host, settings.port, fix=fix)


@contextmanager
def listening(
    settings: Settings,
) -> Iterator[tuple[socket.socket, Mapping[str, socket.socket]]]:
    """Open the server's port, and those of what relays into clusters if there is to be any.

    Raises:
        StartFailed: an address is taken or is not this machine's.
    """
    relays = {
        "proxy": (settings.listens_for_proxy_on, "PYK8S_PROXY_PORT (0: no proxy)"),
        "apps": (settings.listens_for_apps_on, "PYK8S_APPS_PORT (0: no published apps)"),
    }
    with ExitStack() as opened:
        main = opened.enter_context(listen(settings))
        sockets = {
            name: opened.enter_context(
                open_listener(settings.host, port, fix=f"choose another one with {variable}")
            )
            for name, (port, variable) in relays.items()
            if port is not None
        }
        yield main, sockets


async def serve(settings: Settings) -> None:
    """Listen and serve until a signal comes."""
    log = get_logger(__name__)
    allow_open_files()
    with listening(settings) as (listener, sockets):
        async with running(settings) as state, relaying(state, sockets):
            log.info("server_started", url=f"http://{settings.host}:{settings.port}")
            server = Server(configuration(create_app(state)), state)
            await server.serve(sockets=[listener])
    log.info("server_stopped")


def main() -> int:
    """Run; give the exit status."""
    give_back_free_memory()
    try:
        settings = load()
        configure_log(
            settings.log_format, file=settings.log_file, file_bytes=settings.log_file_bytes
        )
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
