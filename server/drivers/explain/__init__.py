"""Why a create failed, by rules over its log and the evidence. Pure.

A rule is data: add one to a `rules_*` module, and an excerpt that needs it to
tests/golden/failures.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pyk8s.wire.cluster import Step
from server.drivers.base import Explanation
from server.drivers.explain.rule import Rule
from server.drivers.explain.rules_docker import DOCKER
from server.drivers.explain.rules_image import IMAGES
from server.drivers.explain.rules_kubernetes import KUBERNETES
from server.drivers.explain.rules_network import NETWORK
from server.drivers.explain.rules_node import NODE
from server.drivers.kind_output import mark_of
from server.drivers.log_lines import strip_colours

MAX_EVIDENCE: Final = 5
MAX_CHARS: Final = 2000
"""So much of a line is looked at."""
DOCS: Final = "docs/howto/troubleshoot.md"
RULES: Final[tuple[Rule, ...]] = (*NODE, *DOCKER, *NETWORK, *IMAGES, *KUBERNETES)
"""The more a rule knows the earlier it stands; `KUBERNETES` ends with the general ones."""

_LOOKS_WRONG = re.compile(r"\b(?:error|fatal|failed|panic|denied|refused|cannot)\b", re.IGNORECASE)
# kind repeats its command; words such as `apparmor=unconfined` in it are no error.
_COMMAND = re.compile(r'command "[^\n]{0,8000}?" failed')
_TRACE = re.compile(r"^(?:\t|[\w./()*]+\.func\d|k8s\.io/|github\.com/|main\.main|runtime\.)")


@dataclass(frozen=True, slots=True)
class Explained:
    """The explanation, and the numbers (from 0) of the lines and clues that it stands on."""

    explanation: Explanation
    evidence: Sequence[int]
    clues: Sequence[int] = field(default_factory=tuple)


NO_RULE: Final = Explanation(
    code="unexplained",
    title="The cluster could not be created",
    cause="no rule knows this error; the last lines that look like one are quoted",
    fix="read the log and the evidence; creating again often helps when the host was busy",
)


def docs_of(code: str) -> str:
    """Say where the documentation tells more about a failure."""
    return f"{DOCS}#{code}"


def explain(
    lines: Sequence[str], clues: Sequence[str] = (), *, failed_step: Step | None = None
) -> Explained:
    """Find the rule that fits a failed create.

    `lines` is the log of the attempt, `clues` are lines of the evidence. `failed_step`: which one
    failed, where the log does not say so itself. What a step printed that went well explains
    nothing.
    """
    plain = [_COMMAND.sub("command failed", strip_colours(line))[:MAX_CHARS] for line in lines]
    suspects, step = _suspects(plain)
    told = [strip_colours(clue[:MAX_CHARS]) for clue in clues]
    joined = "\n".join(told)
    for rule in RULES:
        if rule.steps and (step or failed_step) not in rule.steps:
            continue
        found = _fits(rule, plain, suspects, told, joined)
        if found is not None:
            numbers, clue_numbers = found
            return Explained(
                rule.explanation,
                sorted({*numbers, *_wrong(plain, suspects)[:1]})[:MAX_EVIDENCE],
                sorted(clue_numbers),
            )
    wrong = _wrong(plain, suspects)
    hints = [number for number, clue in enumerate(told) if _LOOKS_WRONG.search(clue)]
    return Explained(NO_RULE, wrong or _final(plain), hints[-(MAX_EVIDENCE - 1) :])


def _suspects(lines: Sequence[str]) -> tuple[list[int], Step | None]:
    """Give the lines that no good step printed, and the step that did not go well."""
    good: set[int] = set()
    going_on: tuple[int, Step] | None = None
    failed: Step | None = None
    for number, line in enumerate(lines):
        mark = mark_of(line)
        if mark is None:
            continue
        sign, step = mark
        if sign == "•":
            going_on = (number, step)
            continue
        if sign == "✗":
            failed = step
        elif going_on is not None and going_on[1] is step:
            good.update(range(going_on[0], number + 1))
        going_on = None
    suspects = [number for number in range(len(lines)) if number not in good]
    return suspects, failed or (going_on[1] if going_on else None)


def _fits(
    rule: Rule,
    lines: Sequence[str],
    suspects: Sequence[int],
    clues: Sequence[str],
    joined: str,
) -> tuple[set[int], set[int]] | None:
    numbers: set[int] = set()
    clue_numbers: set[int] = set()
    for pattern in rule.patterns:
        compiled = re.compile(pattern, re.MULTILINE)
        number = next((n for n in reversed(suspects) if compiled.search(lines[n])), None)
        if number is not None:
            numbers.add(number)
            continue
        # Most patterns fit nowhere: one search over all of it tells so quickly.
        is_there = rule.where == "anywhere" and compiled.search(joined) is not None
        searched = range(len(clues) - 1, -1, -1) if is_there else ()
        clue = next((n for n in searched if compiled.search(clues[n])), None)
        if clue is None:
            return None
        clue_numbers.add(clue)
    return numbers, clue_numbers


def _wrong(lines: Sequence[str], suspects: Sequence[int]) -> list[int]:
    """Give the lines that look like an error: kind's own first, else the last ones."""
    own = [number for number in suspects if lines[number].startswith("ERROR: ")]
    looks = [
        number
        for number in suspects
        if _LOOKS_WRONG.search(lines[number]) and not _TRACE.match(lines[number])
    ]
    return sorted({*own[:1], *looks[-(MAX_EVIDENCE - 1) :]})


def _final(lines: Sequence[str]) -> list[int]:
    said = [number for number, line in enumerate(lines) if line.strip()]
    return said[-MAX_EVIDENCE:]
