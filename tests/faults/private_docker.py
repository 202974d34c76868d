"""A Docker of a test's own: a second dockerd on a small disk, to be stopped, frozen and filled.

It has its own disk (a file with ext4 in it), socket, directories, names in containerd and bridge,
and touches no filter rules, so the Docker of the machine does not notice it. It needs root.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from server.drivers.subnets import free_subnets, host_routes
from tests.drivers.conftest import why_no_kind

DISK_BYTES: Final = 4 * 1024**3
"""Room for a node image (0.8 GiB), a cluster (0.8), and the share that a create wants free."""
BRIDGES: Final = "10.209.0.0/16"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 30.0
PROGRAMS: Final = ("dockerd", "mkfs.ext4", "mount", "umount", "ip")


def why_no_private_docker() -> str | None:
    """Say why there cannot be one here, or nothing."""
    if os.geteuid() != 0:
        return "a second dockerd and a file system in a file need root"
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not Path("/dev/loop-control").exists():
        return "this machine has no loop devices"
    return why_no_kind()


class PrivateDocker:
    """One dockerd. Made by `private_docker`."""

    def __init__(self, path: Path, bridge: str) -> None:
        self.url = f"unix://{path / 'docker.sock'}"
        self.disk = path / "disk"
        self._path = path
        self._bridge = bridge
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        path = self._path
        # A file of its own: what the machine's daemon.json says may contradict the options.
        (path / "daemon.json").write_text(
            json.dumps({"features": {"containerd-snapshotter": False}})
        )
        with (path / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    "--config-file", str(path / "daemon.json"),
                    "--host", self.url,
                    "--data-root", str(self.disk),
                    "--exec-root", str(path / "exec"),
                    "--pidfile", str(path / "pid"),
                    "--containerd-namespace", path.name,
                    "--containerd-plugins-namespace", f"{path.name}-plugins",
                    # Not `none`: that would remove the bridge of the machine's own Docker.
                    "--bridge", self._bridge,
                    "--iptables=false", "--ip6tables=false",
                    "--ip-forward=false", "--ip-masq=false",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while self._ask("version").returncode != 0:
            assert self._process.poll() is None, self.log_tail()
            assert time.monotonic() < until, self.log_tail()
            time.sleep(0.1)

    def log_tail(self) -> str:
        """Give the end of its log."""
        return (self._path / "dockerd.log").read_text()[-4000:]

    def stop(self) -> None:
        """Stop it in good order, and its containers with it."""
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
        self._process = None

    def freeze(self) -> None:
        """Let it hang: it runs no more, and its socket takes every question."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def __call__(self, *arguments: str) -> list[str]:
        """Run the program `docker`; give the lines that it prints."""
        done = self._ask(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[:-1]

    def _ask(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["docker", "--host", self.url, *arguments],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def load(self, image: str) -> None:
        """Take an image over from the machine's Docker."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
            loaded = subprocess.run(
                ["docker", "--host", self.url, "load", "--quiet"],
                stdin=saving.stdout, capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
        assert (saving.returncode, loaded.returncode) == (0, 0), loaded.stderr + self.log_tail()

    def fill(self) -> None:
        """Leave not a byte on the disk."""
        with (self.disk / "filler").open("ab") as filler:
            while (free := shutil.disk_usage(self.disk).free) > 0:
                with contextlib.suppress(OSError):
                    os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), free)

    def make_room(self) -> None:
        """Take back what `fill` did."""
        (self.disk / "filler").unlink(missing_ok=True)

    def pieces(self) -> list[str]:
        """List every container, volume and network that Docker does not have from the start."""
        networks = self("network", "ls", "--filter", "type=custom", "--format", "{{.Name}}")
        return [*self("ps", "--all", "--quiet"), *self("volume", "ls", "--quiet"), *networks]

    def end(self) -> None:
        """Remove what a test that failed has left, and stop."""
        if self._process is not None:
            self.thaw()
            self.make_room()
            for container in self._ask("ps", "--all", "--quiet").stdout.split():
                self._ask("rm", "--force", "--volumes", container)
            self.stop()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.fsencode(self._path.name) in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)


@contextlib.contextmanager
def private_docker() -> Iterator[PrivateDocker]:
    """Run one that has the machine's newest node image; afterwards nothing of it is there."""
    reason = why_no_private_docker()
    if reason is not None:
        pytest.skip(reason)
    path = Path(tempfile.mkdtemp(prefix="pyk8s-docker-"))  # short: it holds sockets
    try:
        with _disk(path), _bridge() as bridge:
            docker = PrivateDocker(path, bridge)
            try:
                docker.start()
                docker.load(_node_image())
                yield docker
            finally:
                docker.end()
        assert [line for line in _mounts() if str(path) in line] == []
        assert str(path) not in _backing_files()
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Mount a file as the disk; skip where the machine does not let us."""
    (path / "disk").mkdir()
    with (path / "disk.img").open("wb") as image:
        image.truncate(DISK_BYTES)
    # No share of the disk is kept for root: full is full.
    _run("mkfs.ext4", "-q", "-F", "-m", "0", str(path / "disk.img"))
    mounted = subprocess.run(
        ["mount", "-o", "loop", str(path / "disk.img"), str(path / "disk")],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"a file cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        below = [line.split()[1] for line in _mounts() if f" {path}/" in line]
        for mount in reversed(below):  # those in it before the disk itself
            _run("umount", mount)


@contextlib.contextmanager
def _bridge() -> Iterator[str]:
    """Make a bridge for containers without a network of their own; give its name."""
    name = f"pyk8s-{uuid4().hex[:8]}"
    start = int(name[-2:], 16)
    address = next(iter(free_subnets(BRIDGES, host_routes(), start=start)))[1]
    _run("ip", "link", "add", "name", name, "type", "bridge")
    try:
        _run("ip", "address", "add", f"{address}/27", "dev", name)
        _run("ip", "link", "set", name, "up")
        yield name
    finally:
        _run("ip", "link", "delete", name)


def _node_image() -> str:
    listed = _run("docker", "image", "ls", "kindest/node", "--format", "{{.Repository}}:{{.Tag}}")
    return listed.split()[0]


def _mounts() -> list[str]:
    return Path("/proc/self/mounts").read_text().splitlines()


def _backing_files() -> str:
    found = Path("/sys/block").glob("loop*/loop/backing_file")
    return "".join(file.read_text() for file in found)


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout
