"""uvicorn's server with a calm loop, whose connections are checked before they are taken."""

import asyncio
import socket
import sys
from functools import partial
from typing import Any, Final, cast

import uvicorn

from server.transport.accepting import Acceptor, AcceptPolicy

LOOK_SECONDS: Final = 1.0
"""Between two looks at what takes a look: the date that answers bear changes every second."""


class CalmServer(uvicorn.Server):
    """Ends at once when it is told to, and else looks once a second; uvicorn looks ten times.

    Each look wakes the process, and there is one such loop for each port: that was a fifth of what
    an idle server took.
    """

    def __init__(self, config: uvicorn.Config, policy: AcceptPolicy) -> None:
        self._end = asyncio.Event()
        self._policy = policy
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections on sockets that listen already."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(1)
        protocol = partial(
            cast("Any", self.config.http_protocol_class),
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        acceptors = [
            Acceptor(each, protocol, self._policy, self.config.ssl) for each in sockets or []
        ]
        self.servers = cast("list[asyncio.base_events.Server]", acceptors)
        self.started = True

    @property
    def should_exit(self) -> bool:
        """Whether the server is to end. Once told so it cannot be told otherwise."""
        return self._end.is_set()

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        if value:
            self._end.set()

    async def main_loop(self) -> None:
        """Serve until told to end."""
        while not await self.on_tick(0):
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._end.wait()
            except TimeoutError:
                continue
