"""What a client was checked for, and how programs report it: one line for each check."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEP_SECONDS = 90.0
"""Many times what one command takes on a busy machine of two cores."""

PROGRAM_SECONDS = 900.0
"""For a program that makes many checks, each with a deadline of its own."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    reason: str = ""
    """Why it failed; empty when it did not."""

    @property
    def is_ok(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client works: one kubeconfig and a namespace of its own."""

    endpoint: str
    kubeconfig: Path
    namespace: str
    folder: Path


class ClientStoppedError(AssertionError):
    """The program ended without a report, or with half of one."""


def reported(argv: Sequence[str], env: Mapping[str, str] | None = None) -> list[Check]:
    """Run a program that reports `ok<TAB>name` or `failed<TAB>name<TAB>reason` lines."""
    done = subprocess.run(
        argv, env=env, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False
    )
    checks = [parsed(line) for line in done.stdout.splitlines() if "\t" in line]
    if done.returncode != 0 or not checks:
        raise ClientStoppedError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr[-4000:]}")
    return checks


def parsed(line: str) -> Check:
    """Read one line of a report."""
    verdict, name, *reason = line.split("\t")
    if verdict == "ok":
        return Check(name)
    assert verdict == "failed", line
    return Check(name, reason[0] if reason and reason[0] else "no reason was reported")


class StepFailedError(Exception):
    """A command did not do what it was to do."""


@dataclass(slots=True)
class Steps:
    """Runs commands of a command-line client; each named step is a check."""

    env: Mapping[str, str]
    checks: list[Check] = field(default_factory=list)

    def step(self, name: str, *commands: "Command") -> None:
        """Run commands one after the other; the first that fails fails the check."""
        try:
            for command in commands:
                command.run(self.env)
        except (StepFailedError, subprocess.TimeoutExpired) as error:
            self.checks.append(Check(name, " ".join(str(error).split())[-600:]))
        else:
            self.checks.append(Check(name))


@dataclass(frozen=True, slots=True)
class Command:
    """One command, and what its output has to hold."""

    argv: Sequence[str]
    says: str = ""
    typed: str = ""
    code: int = 0

    def run(self, env: Mapping[str, str]) -> None:
        done = subprocess.run(
            self.argv,
            env=env, input=self.typed,
            capture_output=True, text=True, timeout=STEP_SECONDS, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if done.returncode != self.code:
            raise StepFailedError(f"exit {done.returncode} of {json.dumps(self.argv)}: {said}")
        if self.says not in said:
            raise StepFailedError(f"{self.says!r} is not in the output of {self.argv}: {said}")
