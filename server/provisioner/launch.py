"""Starts runners, tells living ones from dead ones, and ends what they run."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from server.drivers.base import Command

RUNNER: Final = Path(__file__).with_name("runner.py")
GRACE_SECONDS: Final = 5.0
"""Between TERM and KILL."""
KILL_SECONDS: Final = 5.0
"""After KILL everything must be over in this time."""
_LOCK_FD: Final = 3
_PASSED_ON: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_POLL_SECONDS: Final = 0.02


def start(directory: Path, command: Command, *, spool_cap_bytes: int) -> int:
    """Start the runner of an attempt; give its process id.

    The lock is taken before the process exists: whoever finds it free knows that none is coming.
    """
    (directory / "command.json").write_text(
        json.dumps(
            {
                "argv": list(command.argv),
                "env": dict(command.env),
                "cwd": str(command.cwd),
                "cap": spool_cap_bytes,
            }
        )
    )
    with contextlib.suppress(OSError):
        os.mkfifo(directory / "wake", 0o600)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    errors = os.open(directory / "runner.err", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Not a child of the event loop: asyncio kills its children when the loop closes.
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", str(RUNNER), str(directory)],
            {name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, null, 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
                # The lock last: its descriptor's number may be the one that is to be replaced.
                *_as_descriptor_3(lock),
            ],
            setsid=True,
        )
    finally:
        for descriptor in (lock, errors, null):
            os.close(descriptor)


def _as_descriptor_3(lock: int) -> list[tuple[int, ...]]:
    if lock != _LOCK_FD:
        return [(os.POSIX_SPAWN_DUP2, lock, _LOCK_FD)]
    # dup2 onto itself would leave close-on-exec on.
    spare = 9
    return [(os.POSIX_SPAWN_DUP2, lock, spare), (os.POSIX_SPAWN_DUP2, spare, _LOCK_FD)]


def is_alive(directory: Path) -> bool:
    """Tell whether a runner works in the directory."""
    try:
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def reap(runners: set[int]) -> None:
    """Take note of the ends of runners that this process started; what lives on stays listed."""
    for pid in list(runners):
        try:
            is_over = os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            is_over = True
        if is_over:
            runners.discard(pid)


async def stop(directory: Path, *, grace_seconds: float = GRACE_SECONDS) -> bool:
    """End what runs in the directory: TERM, a while, KILL. Gives whether nothing is left.

    The runner itself goes on until it has noted the end of its command; it is ended too if it
    has not done so in time.
    """
    for what, number, seconds in (
        ("child", signal.SIGTERM, grace_seconds),
        ("child", signal.SIGKILL, KILL_SECONDS),
        ("pid", signal.SIGKILL, KILL_SECONDS),
    ):
        # The lock tells that the ids still belong to this runner.
        if is_alive(directory):
            _signal_group(directory, what, number)
        if await _is_over(directory, seconds):
            return True
    return False


def _signal_group(directory: Path, what: str, number: signal.Signals) -> None:
    try:
        group = json.loads((directory / "runner.json").read_text())[what]
    except (OSError, ValueError, KeyError):
        return  # it has only just been started, or never got so far
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


async def _is_over(directory: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(directory):
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True
