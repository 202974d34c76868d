"""What a rule is."""

from dataclasses import dataclass
from typing import Literal

from pyk8s.wire.cluster import Step
from server.drivers.base import Explanation


@dataclass(frozen=True, slots=True)
class Rule:
    """If every pattern is found on some line, this is why. The first rule that fits counts."""

    patterns: tuple[str, ...]
    explanation: Explanation
    steps: frozenset[Step] = frozenset()
    """It fits only when one of these steps failed; empty: whichever did."""
    where: Literal["log", "anywhere"] = "anywhere"
    """`log`: the evidence is not searched, since such words also stand in that of good starts."""


IMAGE = frozenset({Step.NODE_IMAGE})
BOOT = frozenset({Step.NODES, Step.LOAD_BALANCER, Step.CONFIGURATION})
