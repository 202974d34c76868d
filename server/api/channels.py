"""The two WebSockets as AsyncAPI sees them: who sends which frame, and what else holds there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel

from pyk8s.wire.frames import SUBPROTOCOL
from pyk8s.wire.terminals import TERMINAL_SUBPROTOCOL
from server.api import stream_examples, terminal_examples
from server.api.endpoint import API
from server.api.protocol import CLOSINGS, TERMINAL_CLOSINGS, Closing
from server.api.routes import STREAM, TERMINAL
from server.api.terminal_socket import TerminalQuery

BYTES: Final = "Bytes"
"""The message that is a binary frame, and no model."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What the server does with some messages; `answers` are what may come of it."""

    action: Literal["receive", "send"]
    meaning: str
    messages: tuple[str, ...]
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    """One WebSocket. `frames`: an example or more of each, with what is special about it."""

    address: str
    title: str
    meaning: str
    subprotocol: str
    scope: str
    operations: Mapping[str, Operation]
    closings: Mapping[str, Closing]
    frames: Sequence[tuple[str, BaseModel]]
    is_binary: bool = False
    query: type[BaseModel] | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    def handshake(self) -> Mapping[str, str]:
        """Name each header that counts before the WebSocket begins, and what it is."""
        return {
            "Sec-WebSocket-Protocol": "The subprotocol. Without it: HTTP 422.",
            "Authorization": f"Programs: `Bearer pyk8s_...`, with the scope `{self.scope}`.",
            "Cookie": "Browsers: the session, set by signing in. Never a secret in the address.",
            "Origin": "Browsers: exactly an origin of this server. Else: HTTP 403.",
        }

    def messages(self) -> list[str]:
        """Name what goes over it, each once."""
        names = dict.fromkeys(type(frame).__name__ for _, frame in self.frames)
        return [*names, BYTES] if self.is_binary else [*names]


TOPICS: Final[Mapping[str, str]] = {
    "cluster:<id>": "Every event of one cluster. Without `after`: a `snapshot` (its `seq` is the "
    "cursor), then every later event. With `after: n`: every event with `seq` > n, no snapshot. "
    "A `bookmark` tells when the client is up to date, and comes again when nothing is new; `end` "
    "follows the last event of a deleted cluster.",
    "clusters": "All clusters of the caller: a `snapshot` of them, then every event but log lines, "
    "each with its `cluster_id`. There is no cursor: after a reconnect comes a snapshot again.",
}

TOLD: Final = ("ClusterSnapshot", "ClustersSnapshot", "Events", "Bookmark", "Lagged", "End")

CHANNELS: Final[Mapping[str, Channel]] = {
    "stream": Channel(
        address=STREAM,
        title="The stream",
        meaning="One WebSocket carries any number of topics, as JSON text.\n\n"
        + "\n".join(f"- `{name}`: {meaning}" for name, meaning in TOPICS.items()),
        subprotocol=SUBPROTOCOL,
        scope="clusters:read",
        closings=CLOSINGS,
        frames=(*stream_examples.client_frames(), *stream_examples.server_frames()),
        operations={
            "subscribe": Operation(
                "receive", "A client follows a topic.", ("Subscribe",), (*TOLD, "StreamError")
            ),
            "unsubscribe": Operation("receive", "A client leaves a topic.", ("Unsubscribe",)),
            "ping": Operation("receive", "A client asks for a sign of life.", ("Ping",), ("Pong",)),
            "greet": Operation("send", "The server begins each connection.", ("Hello",)),
            "tell": Operation("send", "The server tells what happens on a followed topic.", TOLD),
            "refuse": Operation(
                "send", "The server says why it refuses or closes.", ("StreamError",)
            ),
            "answer": Operation("send", "The server gives a sign of life.", ("Pong",)),
            "leave": Operation("send", "The server is about to stop.", ("Goaway",)),
        },
    ),
    "terminal": Channel(
        address=TERMINAL,
        title="The terminal",
        meaning="A shell in a cluster's control-plane node, or in one of its pods. Binary frames "
        "are bytes of the terminal, both ways; text frames are JSON. A connection may end and "
        "another go on at any byte: `session` and `offset` in the address say where.",
        subprotocol=TERMINAL_SUBPROTOCOL,
        scope="access",
        closings=TERMINAL_CLOSINGS,
        frames=(*terminal_examples.client_frames(), *terminal_examples.server_frames()),
        is_binary=True,
        query=TerminalQuery,
        parameters={"id_or_name": "A cluster's id, or the name of one of the caller's clusters."},
        operations={
            "type": Operation("receive", "A client types.", (BYTES,)),
            "resize": Operation("receive", "A client's window has another size.", ("Resize",)),
            "acknowledge": Operation("receive", "A client says what it has shown.", ("Ack",)),
            "ping_terminal": Operation(
                "receive", "A client asks for a sign of life.", ("Ping",), ("Pong",)
            ),
            "attach": Operation("send", "The server begins each connection.", ("Attached",)),
            "show": Operation("send", "The server gives what the shell puts out.", (BYTES,)),
            "answer_terminal": Operation("send", "The server gives a sign of life.", ("Pong",)),
            "end": Operation("send", "The server says how the shell ended.", ("Exited",)),
            "refuse_terminal": Operation(
                "send", "The server says why it refuses or closes.", ("TerminalError",)
            ),
        },
    ),
}

DESCRIPTION: Final = (
    "Follow what happens to clusters: every event in order, without a gap and without a repeat, "
    "across lost connections and restarts of the server. `after` of `subscribe` is the cursor: "
    f"the last `seq` that the client has. The same cursor resumes `GET {API}/clusters/{{id}}"
    "/events`, as pages (`after`, `next_after`) and as SSE (`Last-Event-ID`): see "
    "[the REST API](/docs). A second WebSocket is [the terminal](/docs/stream#terminal). Clients "
    "ignore types and fields that they do not know."
)
