"""What is shown of a build while it waits, where no line can move."""

import io
from typing import cast

from rich.console import Console

from pyk8s.cli.progress import Progress
from pyk8s.cli.session import Session
from pyk8s.wire.events import QueuedEvent
from pyk8s.wire.facts import Queued
from tests.factories import BEGIN, make_snapshot


class Plain:
    """What `Progress` uses of a session, without a terminal."""

    is_live = False
    is_quiet = False

    def __init__(self) -> None:
        self.err = Console(file=io.StringIO(), width=200)

    def say(self, text: str = "", style: str = "") -> None:
        self.err.print(text, style=style)


def test_each_place_in_the_queue_is_told_with_its_reason() -> None:
    session = Plain()
    with Progress(cast("Session", session), make_snapshot()) as progress:
        for seq, position in enumerate((3, 1), start=2):
            place = Queued(position=position, size=position, reason="2 are\x1b[2J built at a time")
            progress.on_event(QueuedEvent(seq=seq, at=BEGIN, data=place))
    assert cast("io.StringIO", session.err.file).getvalue().splitlines() == [
        "Waiting, 3 of 3 in the queue: 2 are[2J built at a time",
        "Waiting, 1 of 1 in the queue: 2 are[2J built at a time",
    ]
