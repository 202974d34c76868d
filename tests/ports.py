"""Ports of servers under test, each handed out to one process on the machine."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Final

CHOICES: Final = range(15_000, 32_000)
"""Below the ports that Linux gives to outgoing connections (32768 to 60999, `ip_local_port_range`).

A port that the system chose is free only until an outgoing connection of any process takes it.
"""

_LOCKS: Final = Path(tempfile.gettempdir()) / f"pyk8s-test-ports-{os.getuid()}"
_held: dict[int, int] = {}
"""The lock file's descriptor of each port that this process was given; closed when it ends."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on and no other test process was given."""
    _LOCKS.mkdir(exist_ok=True)
    for port in random.sample(CHOICES, len(CHOICES)):
        if port not in _held and _lock(port) and _nobody_listens(port):
            return port
    raise AssertionError(f"every port of {CHOICES} is taken")


def _lock(port: int) -> bool:
    descriptor = os.open(_LOCKS / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held[port] = descriptor
    return True


def _nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
