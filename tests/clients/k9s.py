"""k9s, in a terminal that tmux provides: keys are sent, and the screen is read."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.clients.checks import Check, Place
from tests.clients.lab import SHARED, until

SCREEN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Screen:
    """One session of a tmux server of its own."""

    server: str

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self.server, *arguments],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        return done.stdout

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "k9s", *keys)

    def shows(self, text: str) -> bool:
        return text in self.tmux("capture-pane", "-p", "-t", "k9s")

    def wait_for(self, text: str) -> None:
        until(lambda: self.shows(text), SCREEN_SECONDS, f"the screen shows {text!r}")


@contextmanager
def screen(command: str) -> Iterator[Screen]:
    opened = Screen(f"pyk8s-{uuid4().hex[:8]}")
    opened.tmux("new-session", "-d", "-s", "k9s", "-x", "180", "-y", "50", command)
    try:
        yield opened
    finally:
        opened.tmux("kill-server")


def k9s_checks(folder: Path, place: Place) -> list[Check]:
    argv = [str(folder / "k9s"), "--kubeconfig", str(place.kubeconfig), "-n", SHARED, "-c", "pods"]
    environment = f"env XDG_CONFIG_HOME={place.folder} XDG_STATE_HOME={place.folder} TERM=screen"
    checks = []
    with screen(f"{environment} {shlex.join(argv)} --logoless --splashless") as shown:

        def check(name: str, wanted: str, *keys: str) -> None:
            shown.keys(*keys)
            try:
                shown.wait_for(wanted)
            except AssertionError as error:
                at = " ".join(shown.tmux("capture-pane", "-p", "-t", "k9s").split())
                checks.append(Check(name, f"{error}: {at[-400:]}"))
            else:
                checks.append(Check(name))

        check("list of pods, watched", "Running")
        check("logs", "line ", "l")
        check("back to the list", "Running", "Escape")
        check("shell", "/ #", "s")
        check("shell answers", "shell-42", "echo shell-$((6*7))", "Enter")
    return checks
