"""Plays a driver's process: prints what kind would print, makes pieces, fails if it is told to.

Started as a program with the standard library only, under the same runner as kind.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

KUBEADM = """\
[init] Using Kubernetes version: {version}
[certs] Generating "ca" certificate and key
[certs] Generating "apiserver" certificate and key
[certs] Generating "etcd/server" certificate and key
[kubeconfig] Writing "admin.conf" kubeconfig file
[control-plane] Creating static Pod manifest for "kube-apiserver"
[control-plane] Creating static Pod manifest for "kube-controller-manager"
[control-plane] Creating static Pod manifest for "kube-scheduler"
[kubelet-start] Starting the kubelet
[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods
[apiclient] All control plane components are healthy
[addons] Applied essential addon: CoreDNS
[addons] Applied essential addon: kube-proxy""".splitlines()

BROKEN_START = """\
ERROR: failed to create cluster: failed to pull image "{image}": command "docker pull {image}" \
failed with error: exit status 1

Command Output: Error response from daemon: manifest for {image} not found: manifest unknown"""
BROKEN_LATE = """\
ERROR: failed to create cluster: failed to remove control plane taint: command failed with error: \
exit status 1

Command Output: The connection to the server {name}-control-plane:6443 was refused"""

FLOOD_TEXT = "I1123 12:00:00.000000     178 flood.go:1] a line of the simulated flood"
TICKS_PER_SECOND = 100
FLOOD_BATCH = 500
HANG_SECONDS = 900


class Play:
    """One run. `speed` is how many times faster than life it goes."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._speed: float = arguments.speed
        self._pieces = Path(arguments.pieces)
        self._words = {
            "name": arguments.name,
            "version": arguments.version,
            "image": arguments.image,
        }

    def say(self, text: str) -> None:
        """Print to standard error, like kind."""
        sys.stderr.write(text.format(**self._words) + "\n")
        sys.stderr.flush()

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds / self._speed)

    def step(self, text: str, seconds: float, *, lines: Sequence[str] = ()) -> None:
        """Play one step that ends well."""
        self.say(f" • {text}  ...")
        for line in lines:
            self.pause(seconds / (len(lines) + 1))
            self.say(line)
        self.pause(seconds / (len(lines) + 1))
        self.say(f" ✓ {text}")

    def broken(self, text: str, seconds: float, why: str) -> None:
        """Play a step that fails, and end."""
        self.say(f" • {text}  ...")
        self.pause(seconds)
        self.say(f" ✗ {text}")
        self.say(why)
        sys.exit(1)

    def make(self, *names: str) -> None:
        """Bring pieces about."""
        self._pieces.mkdir(parents=True, exist_ok=True)
        for name in names:
            content = {"container": f"{self._words['name']}-{name}", "image": self._words["image"]}
            (self._pieces / f"{name}.json").write_text(json.dumps(content))

    def flood(self, lines: int, per_second: float) -> None:
        """Print very many lines; line n ends in ` #n`. Rate 0: as fast as it goes."""
        out = sys.stdout
        began = time.monotonic()
        batch = max(1, int(per_second / TICKS_PER_SECOND)) if per_second else FLOOD_BATCH
        for first in range(1, lines + 1, batch):
            last = min(first + batch, lines + 1)
            out.write("".join(f"{FLOOD_TEXT} #{n}\n" for n in range(first, last)))
            out.flush()
            if per_second:
                time.sleep(max(0.0, began + (last - 1) / per_second - time.monotonic()))


def hang() -> None:
    """Do nothing for longer than any deadline, or until the attempt's directory is removed."""
    directory = Path.cwd()
    until = time.monotonic() + HANG_SECONDS
    while time.monotonic() < until and directory.exists():
        time.sleep(1)
    sys.exit(1)


def perform(play: Play, scenario: str, workers: int, *, has_cni: bool) -> None:
    """Play a scenario from its beginning to its end."""
    slow = 5.0 if scenario == "slow" else 1.0
    play.say('Creating cluster "{name}" ...')
    if scenario == "fail-start":
        play.broken("Ensuring node image ({image}) 🖼", 0.3, BROKEN_START)
    play.step("Ensuring node image ({image}) 🖼", 0.2 * slow)
    play.make("control-plane", *(f"worker{n or ''}" for n in range(workers)))
    play.step("Preparing nodes " + "📦 " * (1 + workers), 0.8 * slow)
    play.step("Writing configuration 📜", 0.3 * slow)
    if scenario == "hang":
        play.say(" • Starting control-plane 🕹️  ...")
        hang()
    play.step("Starting control-plane 🕹️", 2.2 * slow, lines=KUBEADM)
    if scenario.startswith("flood:"):
        _, lines, per_second = scenario.split(":")
        play.flood(int(lines), float(per_second))
    if has_cni:
        play.step("Installing CNI 🔌", 0.3 * slow)
    if scenario == "fail-late":
        play.broken("Installing StorageClass 💾", 0.3, BROKEN_LATE)
    play.step("Installing StorageClass 💾", 0.2 * slow)
    if workers:
        play.step("Joining worker nodes 🚜", 0.5 * slow)
    play.step("Waiting ≤ 2m0s for control-plane = Ready ⏳", 1.5 * slow)
    play.say(" • Ready after 1s 💚")
    play.say('Set kubectl context to "kind-{name}"')
    play.say("This cluster is simulated: there is nothing behind its address.")


def main() -> None:
    """Read the arguments and play."""
    parser = argparse.ArgumentParser()
    for name in ("--scenario", "--name", "--version", "--image", "--pieces"):
        parser.add_argument(name, required=True)
    parser.add_argument("--speed", type=float, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--cni", choices=("yes", "no"), default="yes")
    arguments = parser.parse_args()
    os.umask(0o077)
    perform(Play(arguments), arguments.scenario, arguments.workers, has_cni=arguments.cni == "yes")


if __name__ == "__main__":
    main()
