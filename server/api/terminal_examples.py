"""Examples of every frame of text that goes over a terminal, made from the models themselves."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from pyk8s.wire import terminals
from pyk8s.wire.frames import Ping, Pong

SESSION: Final = UUID("01936a82-4c1e-7f60-b3a7-52d08e9c41fb")


def client_frames() -> Sequence[tuple[str, BaseModel]]:
    """Make what a client sends, each with what is special about it."""
    return [
        ("a larger window", terminals.Resize(type="resize", rows=40, cols=132)),
        ("shown up to here", terminals.Ack(type="ack", offset=18_204)),
        ("are you there", Ping(type="ping", nonce="7")),
    ]


def server_frames() -> Sequence[tuple[str, BaseModel]]:
    """Make what the server sends, each with what is special about it."""
    return [
        ("a new terminal", terminals.Attached(session=SESSION, offset=0)),
        (
            "back after a long time: 2 MiB later",
            terminals.Attached(session=SESSION, offset=3_145_728, lost=1_048_576),
        ),
        ("the shell's own exit code", terminals.Exited(code=0, reason="exited")),
        ("ended from outside", terminals.Exited(code=None, reason="cluster_gone")),
        (
            "close 4505 follows",
            terminals.TerminalError(
                code="not_ready",
                detail="the cluster is provisioning, so there is no shell in it",
                fix="wait until it is ready",
            ),
        ),
        ("yes", Pong(nonce="7")),
    ]
