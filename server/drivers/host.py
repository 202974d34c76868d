"""What this machine is like: read from the kernel, judged by `host_checks`. Never raises."""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Host:
    """Sizes are in bytes; None: this machine does not tell."""

    disk_path: str
    disk_total: int | None = None
    disk_free: int | None = None
    memory_total: int | None = None
    memory_available: int | None = None
    inotify_instances: int | None = None
    inotify_watches: int | None = None
    has_ipv6: bool | None = None
    kernel: str | None = None
    machine: str | None = None
    load: tuple[float, float, float] | None = None

    def facts(self) -> dict[str, Any]:
        """Give everything as JSON can hold it."""
        return asdict(self)


def read_host(disk_path: str | None = None, *, proc: Path = Path("/proc")) -> Host:
    """Look at the machine. `disk_path`: where Docker keeps its data, if that can be seen here."""
    path = disk_path if disk_path and Path(disk_path).exists() else "/"
    memory = _memory(proc / "meminfo")
    total, free = _disk(path)
    system = os.uname()
    off = _number(proc / "sys/net/ipv6/conf/all/disable_ipv6")
    return Host(
        disk_path=path,
        disk_total=total,
        disk_free=free,
        memory_total=memory.get("MemTotal"),
        memory_available=memory.get("MemAvailable"),
        inotify_instances=_number(proc / "sys/fs/inotify/max_user_instances"),
        inotify_watches=_number(proc / "sys/fs/inotify/max_user_watches"),
        has_ipv6=off == 0 if off is not None else (proc / "net/if_inet6").exists(),
        kernel=system.release,
        machine=system.machine,
        load=_load(),
    )


def _disk(path: str) -> tuple[int | None, int | None]:
    try:
        usage = shutil.disk_usage(path)
    except OSError:
        return None, None
    # What only root may still use is not counted, as `df` does not.
    return usage.used + usage.free, usage.free


def _load() -> tuple[float, float, float] | None:
    try:
        return os.getloadavg()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _memory(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdigit():
            found[name] = int(number[0]) * 1024
    return found
