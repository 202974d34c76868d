"""A cluster as the server would send it, and a server that follows a script."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from pyk8s.client.backoff import Backoff
from pyk8s.wire.frames import SUBPROTOCOL

EPOCH = "01900000-0000-7000-8000-0000000000ee"
CLUSTER_ID = "01900000-0000-7000-8000-000000000001"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).isoformat().replace("+00:00", "Z")


def cluster_document(**changes: Any) -> dict[str, Any]:
    """The API's JSON of a cluster."""
    return {
        "id": CLUSTER_ID,
        "name": "demo",
        "owner": "ada",
        "template": "default",
        "kubernetes_version": "v1.36.4",
        "control_planes": 1,
        "workers": 0,
        "labels": {},
        "driver": "kind",
        "phase": "pending",
        "conditions": [],
        "progress": None,
        "queue": None,
        "failure": None,
        "from_pool": False,
        "ttl_seconds": 3600,
        "created_at": AT,
        "ready_at": None,
        "expires_at": None,
        "deleted_at": None,
        "last_seq": 1,
        "epoch": EPOCH,
        **changes,
    }


def event(seq: int, type_: str = "log_line", **data: Any) -> dict[str, Any]:
    """The API's JSON of an event."""
    if type_ == "log_line":
        data = {"stream": "stdout", "text": f"line {seq}", **data}
    return {"seq": seq, "type": type_, "version": 1, "at": AT, "data": data}


def phase(seq: int, before: str, after: str) -> dict[str, Any]:
    """The API's JSON of the event `phase_changed`."""
    return event(seq, "phase_changed", **{"from": before, "to": after, "reason": "Test"})


@dataclass
class Pauses:
    """A clock and a sleep that take no time, and remember what was asked of them."""

    asked: list[float] = field(default_factory=list)
    now: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def backoff(self, *, random: Callable[[], float] = lambda: 0.5) -> Backoff:
        return Backoff(random=random, sleep=self.sleep, clock=lambda: self.now)


Act = Callable[["Conversation"], Awaitable[None]]


@dataclass
class Conversation:
    """One connection of the script."""

    socket: ServerConnection
    subscription: dict[str, Any]

    @property
    def topic(self) -> str:
        return str(self.subscription["topic"])

    async def say(self, **frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def events(self, *documents: dict[str, Any]) -> None:
        await self.say(type="events", topic=self.topic, events=list(documents))

    async def end(self, seq: int) -> None:
        await self.say(type="end", topic=self.topic, seq=seq)
        await self.socket.wait_closed()


@dataclass
class Script:
    """What the server does with each connection in turn, and what it heard."""

    url: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)


@asynccontextmanager
async def scripted(acts: Sequence[Act]) -> AsyncIterator[Script]:
    """Serve `acts`, one per connection, on a free port; a failed act fails the test."""
    script = Script(url="")
    remaining = list(acts)
    failures: list[BaseException] = []

    async def handler(socket: ServerConnection) -> None:
        request = socket.request
        assert request is not None
        assert request.path == "/api/v1/stream"
        script.authorizations.append(request.headers.get("Authorization"))
        await socket.send(
            json.dumps(
                {
                    "type": "hello",
                    "protocol": "pyk8s.v1",
                    "server_version": "9",
                    "epoch": EPOCH,
                    "heartbeat_seconds": 10,
                    "limits": {},
                }
            )
        )
        subscription = json.loads(await socket.recv())
        script.heard.append(subscription)
        act = remaining.pop(0)
        try:
            await act(Conversation(socket, subscription))
        except AssertionError as error:
            failures.append(error)
            raise

    async with serve(handler, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)]) as server:
        port = server.sockets[0].getsockname()[1]
        script.url = f"http://127.0.0.1:{port}"
        yield script
    assert not failures
    assert not remaining, "the client stopped before the script did"
