"""Followers that stay on one socket as long as the server lets them, and say when it did not."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.faults.ledger import Ledger, part_of_frame
from tests.faults.transports import Place, socket_to

PAUSE_SECONDS: Final = 1.0
"""At most so long it waits before it connects or subscribes again."""


@dataclass
class Faithful:
    """One socket, one cluster, from its first event to number `goal`."""

    place: Place
    rng: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    goal: int | None = None
    """Set when it is known."""
    drops: list[str] = field(default_factory=list)
    """Why a socket that was open is not any more, each time."""
    refusals: int = 0
    """How often the server said that it cannot serve the topic now, on a socket that it kept."""

    async def follow(self) -> None:
        """Follow until there is a goal and it is reached."""
        while not self._is_there():
            try:
                async with socket_to(self.place) as socket:
                    try:
                        await self._read(socket)
                    except ConnectionClosed as closed:
                        self.drops.append(str(closed))
            except (OSError, TimeoutError, WebSocketException):
                pass  # it was never open
            await asyncio.sleep(self.rng.random() * PAUSE_SECONDS)

    def _is_there(self) -> bool:
        return self.goal is not None and self.ledger.last >= self.goal

    async def _read(self, socket: ClientConnection) -> None:
        hello = json.loads(await socket.recv())
        subscription = {
            "type": "subscribe",
            "topic": f"cluster:{self.place.cluster_id}",
            "epoch": hello["epoch"],
        }
        await self._subscribe(socket, subscription)
        while not self._is_there():
            try:
                # Its goal may become known while nothing comes.
                async with asyncio.timeout(PAUSE_SECONDS):
                    frame = await socket.recv(decode=False)
            except TimeoutError:
                continue
            if frame.startswith(b'{"type":"error"'):
                refused = json.loads(frame)
                assert refused["code"] == "unavailable", refused
                self.refusals += 1
                await asyncio.sleep(self.rng.random() * PAUSE_SECONDS)
                await self._subscribe(socket, subscription)
            else:
                self.ledger.take(part_of_frame(frame))

    async def _subscribe(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        await socket.send(json.dumps({**frame, "after": self.ledger.last}))
