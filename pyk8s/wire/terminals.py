"""Terminals: shells in clusters, over a WebSocket of their own, subprotocol `pyk8s.terminal.v1`.

Binary frames are bytes of the shell, both ways. What is told about it is JSON text.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from pyk8s.wire.base import Answer, Ask, Timestamp
from pyk8s.wire.frames import Ping, Pong

TERMINAL_SUBPROTOCOL = "pyk8s.terminal.v1"

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"

KUBERNETES_LABEL_PATTERN = rf"^{_LABEL}$"
"""A DNS label (RFC 1123), as Kubernetes names namespaces and containers; 63 at most."""

POD_PATTERN = rf"^{_LABEL}/{_LABEL}(\.{_LABEL})*$"
"""`namespace/name`: a pod's name is a DNS subdomain (RFC 1123), 253 at most."""

MAX_ROWS = 1000
MAX_COLS = 1000

Rows = Annotated[int, Field(ge=1, le=MAX_ROWS)]
Cols = Annotated[int, Field(ge=1, le=MAX_COLS)]


class Resize(Ask):
    """The window has another size now. Of several clients of a terminal the last one counts."""

    type: Literal["resize"]
    rows: Rows
    cols: Cols


class Ack(Ask):
    """The client has shown everything up to this offset.

    From the first one on the server keeps within 512 KiB of what was acknowledged. A client that
    never sends one is held to what its connection takes.
    """

    type: Literal["ack"]
    offset: Annotated[int, Field(ge=0)]


TerminalAsk = Annotated[Resize | Ack | Ping, Field(discriminator="type")]


class Attached(Answer):
    """The first frame: which terminal this is, and where in its output the next byte stands.

    `lost`: so many bytes before it were asked for, and are not kept any more.
    """

    type: Literal["attached"] = "attached"
    session: UUID
    offset: int
    lost: int = 0


class Exited(Answer):
    """The terminal has ended; every byte of its output was sent before. Close 1000 follows.

    `code` is the shell's own, null when it was ended from outside.
    """

    type: Literal["exit"] = "exit"
    code: int | None
    reason: Literal["exited", "closed", "abandoned", "signed_out", "cluster_gone"]


class TerminalError(Answer):
    """Why there is no terminal, or not on this connection. A close with a code follows."""

    type: Literal["error"] = "error"
    code: str
    detail: str
    fix: str | None = None


TerminalFrame = Attached | Exited | TerminalError | Pong


class Terminal(Answer):
    """One that is open."""

    id: UUID
    title: str
    """The pod's name, or the cluster's."""
    pod: str | None
    """`namespace/name`; null: a shell in the control-plane node."""
    container: str | None
    created_at: Timestamp
    last_input_at: Timestamp | None
    """When somebody last typed into it."""
    attached: int
    """How many clients show it now. Without any it ends after two minutes."""


class TerminalList(Answer):
    """The caller's open terminals of one cluster, the oldest first."""

    items: list[Terminal]
    next_cursor: str | None = None
