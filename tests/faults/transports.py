"""The three ways to follow a cluster, each from a cursor: WebSocket, SSE, pages over REST.

All give `Part`s until they are closed or the connection breaks; none comes back by itself, and
whoever stops reading hangs up without a word, as a phone in a tunnel does.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from pyk8s.wire.frames import SUBPROTOCOL
from tests.faults.ledger import NOTHING, Part, part_of, part_of_frame

PAGE: Final = 700
PAUSE_SECONDS: Final = 0.02
"""Between a page that had everything and the next question."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is to be read, and by whom."""

    url: str
    headers: Mapping[str, str]
    cluster_id: UUID | str

    @property
    def events(self) -> str:
        return f"{self.url}/api/v1/clusters/{self.cluster_id}/events"


Transport = Callable[[httpx.AsyncClient, Place, int], AsyncGenerator[Part]]


@asynccontextmanager
async def socket_to(place: Place, *, open_seconds: float = 10) -> AsyncIterator[ClientConnection]:
    """Open the stream; hang up without a word at the end."""
    async with connect(
        place.url.replace("http", "ws", 1) + "/api/v1/stream",
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        additional_headers=place.headers,
        compression=None,
        max_size=None,
        proxy=None,
        open_timeout=open_seconds,
        ping_interval=None,
    ) as socket:
        try:
            yield socket
        finally:
            socket.transport.abort()


async def over_websocket(_: httpx.AsyncClient, place: Place, after: int) -> AsyncGenerator[Part]:
    async with socket_to(place) as socket:
        hello = json.loads(await socket.recv())
        topic = f"cluster:{place.cluster_id}"
        await socket.send(
            json.dumps(
                {"type": "subscribe", "topic": topic, "after": after, "epoch": hello["epoch"]}
            )
        )
        while True:
            yield part_of_frame(await socket.recv(decode=False))


async def over_sse(http: httpx.AsyncClient, place: Place, after: int) -> AsyncGenerator[Part]:
    headers = {
        **place.headers,
        "Accept": "text/event-stream",
        "Last-Event-ID": str(after),
    }
    async with http.stream("GET", place.events, headers=headers) as answer:
        answer.raise_for_status()
        rest = b""
        async for chunk in answer.aiter_raw():
            *messages, rest = (rest + chunk).split(b"\n\n")
            documents = [
                _document(fields) for fields in map(_fields, messages) if fields.get("data")
            ]
            yield part_of(documents) if documents else NOTHING


def _fields(message: bytes) -> dict[str, str]:
    lines = (line.partition(": ") for line in message.decode().split("\n"))
    return {name: value for name, _, value in lines}


def _document(fields: dict[str, str]) -> dict[str, object]:
    document: dict[str, object] = json.loads(fields["data"])
    assert str(document["seq"]) == fields["id"], "the id is the cursor"
    assert document["type"] == fields["event"]
    return document


async def over_pages(http: httpx.AsyncClient, place: Place, after: int) -> AsyncGenerator[Part]:
    while True:
        answer = await http.get(
            place.events, headers=place.headers, params={"after": after, "limit": PAGE}
        )
        answer.raise_for_status()
        page = answer.json()
        yield part_of(page["items"])
        assert page["next_after"] == after + len(page["items"])
        after = page["next_after"]
        if not page["items"]:
            await asyncio.sleep(PAUSE_SECONDS)


TRANSPORTS: Final[tuple[Transport, ...]] = (over_websocket, over_sse, over_pages)
