"""The processes of a PostgreSQL: whether its postmaster lives, and what a dead one leaves behind.

A backend outlives a postmaster that was killed until it next looks. It holds the shared memory
meanwhile, and no other postmaster starts before it has ended.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

PROGRAM: Final = "postgres"
ORPHAN_SECONDS: Final = 2.0
"""How long an orphaned backend has to end by itself after QUIT, before KILL."""
_POLL_SECONDS: Final = 0.02
_DEAD_STATES: Final = ("Z", "X")


def postmaster_of(data: Path) -> int | None:
    """Return the process id in `postmaster.pid`, or None without a readable one."""
    return _first_number(data / "postmaster.pid")


def is_alive(pid: int) -> bool:
    """Whether a process exists and runs: a zombie that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if sys.platform != "linux":
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in _DEAD_STATES


def is_postmaster(pid: int) -> bool:
    """Whether a living process is PostgreSQL: an id may have gone to another program since."""
    if not is_alive(pid):
        return False
    if sys.platform != "linux":
        return True
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() == PROGRAM
    return False


def clear_after_death(data: Path, socket: Path) -> None:
    """Remove what keeps a new postmaster from starting, unless the last one lives.

    Orphaned backends end first: without `postmaster.pid` PostgreSQL no longer looks for them.
    """
    pid = postmaster_of(data)
    if pid is not None and is_postmaster(pid):
        return
    end_orphans(data)
    for path in (data / "postmaster.pid", socket.with_name(f"{socket.name}.lock")):
        named = _first_number(path)
        # PostgreSQL itself removes the file of a process that is not there.
        if named is not None and _exists(named) and not is_postmaster(named):
            path.unlink(missing_ok=True)


def end_orphans(data: Path, seconds: float = ORPHAN_SECONDS) -> None:
    """End the backends of a dead postmaster: QUIT is what a postmaster sends after a crash."""
    deadline = time.monotonic() + seconds
    number = signal.SIGQUIT
    told: set[int] = set()
    while left := orphans_of(data):
        if number == signal.SIGQUIT and time.monotonic() > deadline:
            number, deadline = signal.SIGKILL, time.monotonic() + seconds
            told.clear()
        elif time.monotonic() > deadline:
            return
        for pid in left - told:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        told |= left
        time.sleep(_POLL_SECONDS)


def orphans_of(data: Path) -> set[int]:
    """Return the living processes of PostgreSQL whose working directory is the data directory.

    Without /proc nothing is found: the start is then tried again until they have ended.
    """
    home = os.path.realpath(data)
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (
                (directory / "comm").read_text().strip() == PROGRAM
                and str((directory / "cwd").readlink()) == home
                and is_alive(int(directory.name))
            ):
                found.add(int(directory.name))
    return found


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _first_number(path: Path) -> int | None:
    try:
        return abs(int(path.read_text().split()[0]))
    except (OSError, ValueError, IndexError):
        return None
