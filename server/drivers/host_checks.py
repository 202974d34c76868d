"""Judges whether a machine can carry kind's clusters. Pure.

The thresholds of inotify are those that kind's known issues advise.
"""

import re
from collections.abc import Sequence
from typing import Final

from pyk8s.wire.service import Check
from server.admission import GIB
from server.drivers.base import Explanation
from server.drivers.host import Host

MIN_DOCKER: Final = (20, 10)
MIN_DISK_SHARE: Final = 0.15
ENOUGH_DISK: Final = 20 * GIB
"""With so much free a large disk may be fuller than `MIN_DISK_SHARE` allows."""
MIN_MEMORY: Final = GIB
MIN_INSTANCES: Final = 512
MIN_WATCHES: Final = 524_288


def host_checks(host: Host) -> Sequence[Check]:
    """Judge disk, memory, inotify and IPv6. What the machine does not tell is taken to be well."""
    return [_disk(host), _memory(host), _inotify(host), _ipv6(host)]


def docker_version_check(version: str) -> Check:
    """Judge Docker's version."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    is_old = bool(numbers) and numbers < MIN_DOCKER
    return Check(
        name="docker_version",
        ok=not is_old,
        detail=f"Docker {version or '(version unknown)'}",
        fix=f"update Docker to {'.'.join(map(str, MIN_DOCKER))} or later" if is_old else None,
    )


def unfit(check: Check) -> Explanation:
    """Say why a create was not even begun."""
    if check.name == "disk":
        return Explanation(
            code="disk_low",
            title="The disk of the host is nearly full",
            cause=check.detail,
            fix="free space: docker system df shows who uses it, docker system prune frees what "
            "nothing uses",
        )
    if check.name == "docker_version":
        return Explanation(
            code="docker_old",
            title="Docker is too old",
            cause=check.detail,
            fix="update Docker to 20.10 or later",
        )
    return Explanation(
        code="host_unfit",
        title="The host is not fit for a cluster",
        cause=f"{check.name}: {check.detail}",
        fix=f"{check.fix}; `pyk8s doctor` lists all checks",
    )


def _disk(host: Host) -> Check:
    if host.disk_free is None or not host.disk_total:
        return Check(name="disk", ok=True, detail="the disk does not tell its size")
    share = host.disk_free / host.disk_total
    ok = share >= MIN_DISK_SHARE or host.disk_free >= ENOUGH_DISK
    return Check(
        name="disk",
        ok=ok,
        detail=f"{host.disk_free / GIB:.1f} GiB ({share:.0%}) free on {host.disk_path}",
        fix=None
        if ok
        else f"free space until {MIN_DISK_SHARE:.0%} or {ENOUGH_DISK // GIB} GiB are free: "
        "docker system df shows who uses it, docker system prune frees what nothing uses",
    )


def _memory(host: Host) -> Check:
    free = host.memory_available
    if free is None:
        return Check(name="memory", ok=True, required=False, detail="the system does not tell")
    ok = free >= MIN_MEMORY
    return Check(
        name="memory",
        ok=ok,
        required=False,
        detail=f"{free / GIB:.1f} GiB available",
        fix=None if ok else "delete clusters that are not needed: a node takes about 0.6 GiB",
    )


def _inotify(host: Host) -> Check:
    instances, watches = host.inotify_instances, host.inotify_watches
    if instances is None or watches is None:
        return Check(name="inotify", ok=True, required=False, detail="the system does not tell")
    ok = instances >= MIN_INSTANCES and watches >= MIN_WATCHES
    return Check(
        name="inotify",
        ok=ok,
        required=False,
        detail=f"{instances} instances, {watches} watches for each user",
        fix=None
        if ok
        else f"sysctl fs.inotify.max_user_instances={MIN_INSTANCES} "
        f"fs.inotify.max_user_watches={MIN_WATCHES}; keep it in /etc/sysctl.d",
    )


def _ipv6(host: Host) -> Check:
    said = {True: "on", False: "off: clusters use IPv4 only", None: "unknown"}[host.has_ipv6]
    return Check(name="ipv6", ok=True, required=False, detail=f"IPv6 is {said}")
