"""What the scripted kind plays: lists of its actions, made of kind's recorded output."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

Action = list[object]

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "kind"
STEPS: Final = {
    "node_image": " • Ensuring node image",
    "nodes": " • Preparing nodes",
    "configuration": " • Writing configuration",
    "control_plane": " • Starting control-plane",
    "network": " • Installing CNI",
    "storage": " • Installing StorageClass",
    "node_ready": " • Waiting",
}
"""How the line begins with which kind announces each of its steps."""
NODES_MADE: Final = " ✓ Preparing nodes"
KUBECONFIG_WRITTEN: Final = "Set kubectl context"


def recorded(
    transcript: str = "create-run1.stderr", *, after: Mapping[str, list[Action]] | None = None
) -> list[Action]:
    """Play a recorded create that ended well; `after` a line that begins so, do more."""
    actions: list[Action] = []
    for line in (GOLDEN / transcript).read_text().splitlines():
        text = line.replace('"lab"', '"{name}"').replace("kind-lab", "kind-{name}").rstrip()
        if text.startswith(NODES_MADE):
            actions.append(["nodes"])
        if text.startswith(KUBECONFIG_WRITTEN):
            actions.append(["kubeconfig"])
        actions.append(["lines", [text]])
        for start, more in (after or {}).items():
            if text.startswith(start):
                actions += more
    return actions


def failing(transcript: str) -> list[Action]:
    """Play a recorded create that failed after its nodes were made."""
    lines = (GOLDEN / transcript).read_text().splitlines()
    return [["nodes"], ["lines", [line.rstrip() for line in lines]], ["exit", 1]]


def cut_short(start: str, more: list[Action]) -> list[Action]:
    """Play a recorded create up to and including the line that begins so, then something else."""
    actions: list[Action] = []
    for action in recorded():
        actions.append(action)
        lines = action[1] if len(action) > 1 else None
        if isinstance(lines, list) and lines[0].startswith(start):
            break
    else:
        raise ValueError(f"no line begins with {start!r}")
    return actions + more
