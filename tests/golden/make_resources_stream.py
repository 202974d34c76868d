"""Writes the golden files of who looks into a cluster: python -m tests.golden.make_resources_stream

Each is what a server sends, in pieces cut anywhere, and what a reader knows in the end. pytest
holds the models of the wire to them, vitest the page.
"""

import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "resources_stream"
AT: Final = "2026-01-02T03:04:05.000000Z"
PIECE_CHARS: Final = 37


def namespace(name: str, status: str = "Active") -> dict[str, Any]:
    """Make the smallest row."""
    health = "ok" if status == "Active" else "busy"
    row = {"uid": f"uid-{name}", "name": name, "created_at": AT, "kind": "Namespace"}
    return row | {"status": status, "health": health}


def message(event: str, **data: object) -> str:
    return f"event: {event}\ndata: {json.dumps({'at': AT} | data)}\n\n"


def snapshot(*rows: dict[str, Any], **more: int) -> str:
    return message("snapshot", items=rows, more=more)


def change(*put: dict[str, Any], remove: list[str] | None = None, **more: int) -> str:
    return message("change", put=put, remove=remove or [], more=more)


AWAY: Final = message("unavailable", code="cluster_away", detail="nothing came in time")
A, B, C = namespace("a"), namespace("b"), namespace("größe")
SCENARIOS: Final[dict[str, tuple[list[str], dict[str, Any]]]] = {
    "everything-then-changes": (
        [
            "retry: 1000\n\n",
            snapshot(A, B, Pod=3),
            message("beat"),
            change(namespace("b", "Terminating"), C, Pod=4),
            change(remove=["uid-a", "uid-never-seen"]),
        ],
        {"rows": [namespace("b", "Terminating"), C], "more": {}, "away": None, "ended": False},
    ),
    "away-keeps-what-was-known": (
        [snapshot(A), AWAY, message("beat")],
        {"rows": [A], "more": {}, "away": "cluster_away", "ended": False},
    ),
    "back-forgets-what-was-known": (
        [snapshot(A), AWAY, snapshot(B)],
        {"rows": [B], "more": {}, "away": None, "ended": False},
    ),
    "ends-with-the-cluster": (
        [snapshot(A), AWAY, message("end")],
        {"rows": [A], "more": {}, "away": "cluster_away", "ended": True},
    ),
    "ignores-what-it-does-not-know": (
        [": a comment\n\n", snapshot(A), message("teleported", to="moon"), "id: 7\n\n"],
        {"rows": [A], "more": {}, "away": None, "ended": False},
    ),
}


def main() -> None:
    """Write them all."""
    for name, (messages, expect) in SCENARIOS.items():
        text = "".join(messages)
        pieces = [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]
        document = {"pieces": pieces, "expect": expect}
        written = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{name}.json").write_text(written)


if __name__ == "__main__":
    main()
