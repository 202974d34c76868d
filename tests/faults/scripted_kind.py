"""Plays the program kind, well or badly, as a scenario says. A stand-in: it makes no cluster.

    scripted_kind.py STAGE create cluster --name NAME --kubeconfig FILE ...

Started by the server in kind's place, with the standard library only. STAGE is the directory that
the harness (`stage.py`) reads and writes:

    docker/networks, docker/containers   what the Docker stand-in has; labelled, one file each
    scenarios/CLUSTER.create, .delete    JSON: a list of actions, see `ACTIONS`
    written/NAME                         every line that was written: `o text` or `e text`
    at/CLUSTER.POINT                     made when a play has come to a pause
    go, go.CLUSTER                       exists: nobody pauses any more; nobody of this cluster
    starts                               a line for each start: `create NAME PID`
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

POLL_SECONDS = 0.02
PATIENCE_SECONDS = 300.0
SCENARIO_SECONDS = 20.0
NOBODY = "nobody"
FLOOD_BATCH = 200
IMAGE = "stand-in/node:v1.37.0"


class Play:
    """One run of kind for one cluster."""

    def __init__(self, stage: Path, name: str, kubeconfig: Path) -> None:
        self.stage = stage
        self.name = name
        self.kubeconfig = kubeconfig
        self.cluster = self._cluster()
        self._written = (stage / "written" / name).open("ab", buffering=0)

    def _cluster(self) -> str:
        """Whose cluster this is: the label of its network says so."""
        known = self.stage / "names" / self.name
        return known.read_text() if known.exists() else NOBODY

    def scenario(self, verb: str) -> list[list[object]]:
        """Read what to play; a create may be quicker than the harness that asked for it."""
        path = self.stage / "scenarios" / f"{self.cluster}.{verb}"
        until = time.monotonic() + SCENARIO_SECONDS
        while not path.exists() and self.cluster != NOBODY and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        scenario: list[list[object]] = json.loads(path.read_text()) if path.exists() else []
        return scenario

    def act(self, action: str, *values: object) -> None:
        ACTIONS[action](self, *values)

    def emit(self, lines: list[str], stream: str = "e") -> None:
        """Write whole lines, noting each one first: what is noted was or will be written."""
        texts = [line.replace("{name}", self.name) for line in lines]
        self._written.write("".join(f"{stream} {text}\n" for text in texts).encode())
        self.raw("".join(f"{text}\n" for text in texts).encode(), stream)

    def raw(self, data: bytes, stream: str = "e") -> None:
        out = sys.stderr.buffer if stream == "e" else sys.stdout.buffer
        out.write(data)
        out.flush()

    def pause(self, point: str) -> None:
        (self.stage / "at" / f"{self.cluster}.{point}").touch()
        until = time.monotonic() + PATIENCE_SECONDS
        gates = (self.stage / "go", self.stage / f"go.{self.cluster}")
        while not any(gate.exists() for gate in gates) and time.monotonic() < until:
            # A stage that was cleared away must not leave its players behind.
            if not self.stage.exists():
                sys.exit(3)
            time.sleep(POLL_SECONDS)

    def flood(self, lines: int, per_second: float = 0, stream: str = "o") -> None:
        began = time.monotonic()
        for first in range(1, lines + 1, FLOOD_BATCH):
            last = min(first + FLOOD_BATCH, lines + 1)
            self.emit([f"I1123 a line of the flood #{n}" for n in range(first, last)], stream)
            if per_second:
                time.sleep(max(0.0, began + (last - 1) / per_second - time.monotonic()))

    def nodes(self, *roles: str) -> None:
        """Make containers that are none: labelled as kind labels them, and as stand-ins."""
        for role in roles or ("control-plane",):
            node = f"{self.name}-{role}"
            made = {
                "Id": node,
                "Names": [f"/{node}"],
                "Image": IMAGE,
                "State": "running",
                "Labels": {"io.x-k8s.kind.cluster": self.name, "stand-in": "scripted_kind"},
            }
            path = self.stage / "docker" / "containers" / f"{node}.json"
            path.with_suffix(".new").write_text(json.dumps(made))
            path.with_suffix(".new").replace(path)

    def write_kubeconfig(self) -> None:
        text = (self.stage / "kubeconfig").read_text().replace("{name}", self.name)
        self.kubeconfig.write_text(text)

    def remove_nodes(self) -> None:
        for path in (self.stage / "docker" / "containers").glob(f"{self.name}-*.json"):
            path.unlink(missing_ok=True)

    def garbage(self, size: int, *, newlines: bool) -> None:
        """Write random bytes; they are the same each time."""
        state, chunk = 1, bytearray()
        for _ in range(size):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            byte = state >> 16 & 0xFF
            chunk.append(byte if newlines or byte != 10 else 11)
        self.raw(bytes(chunk))

    def endless_line(self, megabytes: int) -> None:
        block = b"x" * (1024 * 1024)
        for _ in range(megabytes):
            self.raw(block)

    def spinner(self, turns: int) -> None:
        for turn in range(turns):
            self.raw(b"\rworking " + b"|/-\\"[turn % 4 : turn % 4 + 1])
        self.raw(b"\n")

    def chatter(self) -> None:
        """Say the same all the time, and get nowhere."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and self.stage.exists():
            self.raw(b"still at it\n")
            time.sleep(0.05)

    def ignore_term(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def grandchild(self, *, ignores_term: bool = False) -> None:
        """Leave a process behind that holds both pipes."""
        program = "import time\ntime.sleep(300)\n"
        if ignores_term:
            program = "import signal\nsignal.signal(15, signal.SIG_IGN)\n" + program
        # Nobody waits for it: that is the point.
        subprocess.Popen([sys.executable, "-I", "-S", "-c", program, str(self.stage)])

    def close_pipes(self) -> None:
        for descriptor in (1, 2):
            os.close(descriptor)

    def hang(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and self.stage.exists():
            time.sleep(0.2)


ACTIONS: dict[str, Callable[..., object]] = {
    "lines": lambda play, lines: play.emit(lines),
    "flood": lambda play, *how: play.flood(*how),
    "pause": lambda play, point: play.pause(point),
    "sleep": lambda _, seconds: time.sleep(seconds),
    "nodes": lambda play, *roles: play.nodes(*roles),
    "kubeconfig": lambda play: play.write_kubeconfig(),
    "remove-nodes": lambda play: play.remove_nodes(),
    "garbage": lambda play, size: play.garbage(size, newlines=True),
    "endless-line": lambda play, megabytes: play.endless_line(megabytes),
    "bytes": lambda play, hexadecimal: play.raw(bytes.fromhex(hexadecimal)),
    "spinner": lambda play, turns: play.spinner(turns),
    "ignore-term": lambda play: play.ignore_term(),
    "grandchild": lambda play, ignores: play.grandchild(ignores_term=ignores),
    "close-pipes": lambda play: play.close_pipes(),
    "chatter": lambda play: play.chatter(),
    "hang": lambda play: play.hang(),
    "exit": lambda _, status: sys.exit(status),
    "signal": lambda _, number: os.kill(os.getpid(), number),
}


def main() -> None:
    stage, verb, *arguments = sys.argv[1:]
    if verb not in {"create", "delete"}:
        sys.stdout.write("kind v0.33.0 (a scripted stand-in)\n")
        return
    options = dict(pairwise(arguments))
    name = options["--name"]
    with (Path(stage) / "starts").open("a") as starts:
        starts.write(f"{verb} {name} {os.getpid()}\n")
    play = Play(Path(stage), name, Path(options["--kubeconfig"]))
    for action, *values in play.scenario(verb):
        play.act(str(action), *values)
    if verb == "delete":
        play.remove_nodes()


if __name__ == "__main__":
    main()
