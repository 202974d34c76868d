"""Writes the golden files of the stream's readers: python -m tests.golden.make_stream

Each is what a server does, connection by connection: the frames that it sends after its `hello`,
and the code that it closes with (null: it waits for the client; 1006: it is gone without a word).
`expect` is what a reader makes of it: the cursors that it asks with, the events that it hands on,
and the outcome: `ended`, `gap` (the server broke its word), or `refused` (it does not come back).
pytest and vitest hold the two readers to them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

FOLDER: Final = Path(__file__).parent / "stream"
TOPIC: Final = "cluster:01900000-0000-7000-8000-000000000001"
AT: Final = "2026-01-02T03:04:05.000000Z"

Frame = dict[str, Any]
LOST: Final = 1006


@dataclass(frozen=True, slots=True)
class Connection:
    frames: Sequence[Frame]
    close: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    about: str
    connections: Sequence[Connection]
    asked_after: Sequence[int]
    events: Sequence[int]
    outcome: Literal["ended", "gap", "refused"]


def line(seq: int) -> Frame:
    data = {"stream": "stdout", "text": f"line {seq}", "cont": False}
    return {"seq": seq, "type": "log_line", "version": 1, "at": AT, "data": data}


def events(*seqs: int, topic: str = TOPIC) -> Frame:
    return {"type": "events", "topic": topic, "events": [line(seq) for seq in seqs]}


def bookmark(seq: int) -> Frame:
    return {"type": "bookmark", "topic": TOPIC, "seq": seq}


def end(seq: int) -> Frame:
    return {"type": "end", "topic": TOPIC, "seq": seq}


def error(code: str) -> Frame:
    return {"type": "error", "topic": TOPIC, "code": code, "detail": "in words"}


NEWER: Final = {"seq": 2, "type": "teleported", "version": 1, "at": AT, "data": {"to": "moon"}}
SCENARIOS: Final = {
    "from-the-first-event-to-the-end": Scenario(
        "Nothing goes wrong.",
        [Connection([events(1, 2), bookmark(2), events(3), end(3)])],
        [0],
        [1, 2, 3],
        "ended",
    ),
    "goes-on-after-its-cursor": Scenario(
        "Connections are lost in every way that means: come back.",
        [
            Connection([events(1, 2)], LOST),
            Connection([events(3), {"type": "goaway", "retry_after_ms": 500}], 1012),
            Connection([], 4408),
            Connection([events(4, 5)], 4429),
            Connection([end(5)]),
        ],
        [0, 2, 3, 3, 5],
        [1, 2, 3, 4, 5],
        "ended",
    ),
    "drops-what-it-has": Scenario(
        "What comes a second time is not handed on a second time.",
        [
            Connection([events(1, 2, 3), events(2, 3), events(3, 4)], LOST),
            Connection([events(1, 2, 3, 4, 5), end(5)]),
        ],
        [0, 4],
        [1, 2, 3, 4, 5],
        "ended",
    ),
    "is-told-that-it-lags": Scenario(
        "A reader that is told that it was too slow has nothing to do.",
        [
            Connection(
                [
                    events(1),
                    {"type": "lagged", "topic": TOPIC, "from": 2, "to": 900},
                    events(2, 3),
                    end(3),
                ]
            )
        ],
        [0],
        [1, 2, 3],
        "ended",
    ),
    "ignores-what-it-does-not-know": Scenario(
        "Frames of a newer type, and those of other topics; an event of a newer type counts.",
        [
            Connection(
                [
                    {"type": "sparkle", "topic": TOPIC, "seq": 99},
                    events(7, topic="cluster:01900000-0000-7000-8000-000000000002"),
                    {"type": "pong", "nonce": "whose?"},
                    events(1),
                    {"type": "events", "topic": TOPIC, "events": [NEWER]},
                    events(3),
                    end(3),
                ]
            )
        ],
        [0],
        [1, 2, 3],
        "ended",
    ),
    "asks-again-on-the-same-connection": Scenario(
        "The server cannot read the log now: twice it is asked again, after the cursor.",
        [
            Connection(
                [
                    events(1, 2),
                    error("unavailable"),
                    error("unavailable"),
                    events(2, 3),
                    error("unavailable"),
                    bookmark(3),
                    end(3),
                ]
            )
        ],
        [0, 2, 2, 3],
        [1, 2, 3],
        "ended",
    ),
    "asks-again-and-loses-the-connection": Scenario(
        "While the server cannot read the log it goes away as well.",
        [Connection([events(1), error("unavailable")], LOST), Connection([events(2), end(2)])],
        [0, 1, 1],
        [1, 2],
        "ended",
    ),
    "is-subscribed-still": Scenario(
        "Whoever asks again and is told that there was no need goes on.",
        [
            Connection(
                [events(1), error("unavailable"), error("already_subscribed"), events(2), end(2)]
            )
        ],
        [0, 1],
        [1, 2],
        "ended",
    ),
    "gap-in-a-frame": Scenario(
        "An event is missing between two of one frame: nothing of the frame counts.",
        [Connection([events(1), events(2, 4)])],
        [0],
        [1],
        "gap",
    ),
    "gap-between-frames": Scenario(
        "An event is missing between two frames.",
        [Connection([events(1), events(3)])],
        [0],
        [1],
        "gap",
    ),
    "gap-across-connections": Scenario(
        "The server goes on behind the cursor that it was given.",
        [Connection([events(1)], LOST), Connection([events(3)])],
        [0, 1],
        [1],
        "gap",
    ),
    "gap-before-a-bookmark": Scenario(
        "The server says that the reader has what it has not.",
        [Connection([events(1), bookmark(2)])],
        [0],
        [1],
        "gap",
    ),
    "gap-before-the-end": Scenario(
        "The log is said to end behind what the reader has.",
        [Connection([events(1), end(2)])],
        [0],
        [1],
        "gap",
    ),
    "stops-when-signed-out": Scenario(
        "The session has ended.", [Connection([events(1)], 4501)], [0], [1], "refused"
    ),
    "stops-when-it-may-not": Scenario(
        "It is not allowed.", [Connection([events(1)], 4503)], [0], [1], "refused"
    ),
    "stops-at-what-is-not-known-yet": Scenario(
        "All codes from 4500 on mean the same.", [Connection([], 4999)], [0], [], "refused"
    ),
}


def written(scenario: Scenario) -> str:
    """Write a scenario as its file has it."""
    document = {
        "about": scenario.about,
        "topic": TOPIC,
        "connections": [
            {"frames": list(each.frames), "close": each.close} for each in scenario.connections
        ],
        "expect": {
            "asked_after": list(scenario.asked_after),
            "events": list(scenario.events),
            "outcome": scenario.outcome,
        },
    }
    return json.dumps(document, indent=2) + "\n"


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, scenario in SCENARIOS.items():
        (FOLDER / f"{name}.json").write_text(written(scenario))


if __name__ == "__main__":
    main()
