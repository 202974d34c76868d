"""Followers that stay on one socket as long as the server lets them, and say when it did not."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from pyk8s.client.backoff import Backoff
from tests.faults.ledger import Ledger, part_of_frame
from tests.faults.transports import Place, socket_to

LOOK_SECONDS: Final = 1.0
"""Its goal may become known while nothing comes: it looks this often."""


@dataclass
class Faithful:
    """One socket, one cluster, from its first event to number `goal`."""

    place: Place
    backoff: Backoff = field(default_factory=Backoff)
    ledger: Ledger = field(default_factory=Ledger)
    goal: int | None = None
    """Set when it is known."""
    drops: list[str] = field(default_factory=list)
    """Why a socket that was open is not any more, each time."""
    refused_with: list[int] = field(default_factory=list)
    """What HTTP said when it could not open a socket."""
    refusals: int = 0
    """How often the server said that it cannot serve the topic now, on a socket that it kept."""
    _attempt: int = 0

    async def follow(self) -> None:
        """Follow until there is a goal and it is reached."""
        while not self._is_there():
            try:
                async with socket_to(self.place) as socket:
                    try:
                        await self._read(socket)
                    except ConnectionClosed as closed:
                        self.drops.append(str(closed))
            except InvalidStatus as refused:
                self.refused_with.append(refused.response.status_code)
            except (OSError, TimeoutError, WebSocketException):
                pass  # it was never open
            if not self._is_there():
                await self._pause()

    async def _pause(self) -> None:
        self._attempt += 1
        await asyncio.sleep(self.backoff.delay(self._attempt))

    def _is_there(self) -> bool:
        return self.goal is not None and self.ledger.last >= self.goal

    async def _read(self, socket: ClientConnection) -> None:
        hello = json.loads(await socket.recv())
        subscription: dict[str, Any] = {
            "type": "subscribe",
            "topic": f"cluster:{self.place.cluster_id}",
            "epoch": hello["epoch"],
        }
        await self._subscribe(socket, subscription)
        while not self._is_there():
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    frame = await socket.recv(decode=False)
            except TimeoutError:
                continue
            if frame.startswith(b'{"type":"error"'):
                refused = json.loads(frame)
                assert refused["code"] == "unavailable", refused
                self.refusals += 1
                await self._pause()
                await self._subscribe(socket, subscription)
            else:
                self._attempt = 0
                self.ledger.take(part_of_frame(frame))

    async def _subscribe(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        await socket.send(json.dumps({**frame, "after": self.ledger.last}))
