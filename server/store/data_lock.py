"""A data directory has one server: a lock that ends with the process, however the process ends.

Two servers would stop each other's PostgreSQL and build in each other's folders. The lock is the
kernel's (flock), so that a file that a killed server leaves behind locks nothing. Programs that the
server starts do not inherit it.
"""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from server.errors import StartFailed

LOCK_NAME: Final = "server.lock"
_WORDS: Final = 3
_MOST_BYTES: Final = 512


@contextmanager
def data_dir_locked(data_dir: Path, *, port: int) -> Iterator[None]:
    """Keep every other server out of a data directory until the block ends.

    Raises:
        StartFailed: another server has it; the detail names its process and port.
    """
    descriptor = open_lock(data_dir / LOCK_NAME)
    try:
        _lock(descriptor, data_dir)
        # Only told to people: without space on the disk the lock holds all the same.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {port} {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Open the file of a lock, which on a disk that has become read-only is there already."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _lock(descriptor: int, data_dir: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in {errno.EWOULDBLOCK, errno.EAGAIN}:
            raise StartFailed(
                f"the data directory {data_dir} cannot be locked: {error.strerror}",
                fix="choose a local disk with PYK8S_DATA_DIR",
            ) from error
        raise _in_use(data_dir, *_holder(descriptor)) from error


def _in_use(data_dir: Path, pid: str, port: str, host: str) -> StartFailed:
    here = host == socket.gethostname()
    place = "" if here else f" on {host}"
    who = f" (process {pid}{place}, port {port})" if pid else ""
    stop = f"stop that one (kill {pid})" if pid and here else "stop that one"
    return StartFailed(
        f"the data directory {data_dir} is in use by another server{who}",
        fix=f"{stop}, or give this one a data directory of its own with PYK8S_DATA_DIR",
    )


def _holder(descriptor: int) -> tuple[str, str, str]:
    """Return process id, port and host of the server that holds the lock; empty when untold."""
    with suppress(OSError):
        words = os.pread(descriptor, _MOST_BYTES, 0).decode(errors="replace").split()
        if len(words) == _WORDS:
            return words[0], words[1], words[2]
    return "", "", ""
