"""What the figures were measured on, and what a process takes of it. Linux: it reads /proc."""

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from server.config import REPOSITORY

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
KIB = 1024


def facts(postgresql: str) -> dict[str, Any]:
    """Tell what this machine is."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES / KIB**3, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "postgresql": postgresql,
    }


def moment() -> dict[str, Any]:
    """Tell what is measured and when, and what else the machine does: its load average."""
    return {
        "git": revision(),
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def revision() -> str:
    """Give the commit that is measured, with `+` when files differ from it."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            cwd=REPOSITORY, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()


def raise_open_files() -> int:
    """Allow this process, and those that it starts, as many open files as it may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def resident_bytes(pid: int) -> int:
    """Tell the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


def cpu_seconds(pid: int) -> float:
    """Tell what a process and its children that have ended have used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_SECOND


def tree_cpu_seconds(pid: int) -> float:
    """The same, with the children that live."""
    return cpu_seconds(pid) + sum(tree_cpu_seconds(child) for child in children(pid))


def children(pid: int) -> Iterator[int]:
    """Give the living children of a process."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, task.read_text().split())


def is_linux() -> bool:
    """Tell whether /proc can be read here."""
    return sys.platform == "linux"
