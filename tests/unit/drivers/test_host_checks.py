"""The preflight: thresholds, fixes, and what a create is refused for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.drivers import kind_facts
from server.drivers.base import DriverError
from server.drivers.host import Host, read_host
from server.drivers.host_checks import docker_version_check, host_checks

GIB = 1024**3
GOOD = Host(
    disk_path="/var/lib/docker",
    disk_total=100 * GIB,
    disk_free=16 * GIB,
    memory_total=8 * GIB,
    memory_available=4 * GIB,
    inotify_instances=512,
    inotify_watches=524_288,
    has_ipv6=True,
)


def failing(host: Host) -> dict[str, bool]:
    """Name the checks that fail, and whether they are required."""
    checks = host_checks(host)
    assert all(check.ok or check.fix for check in checks)
    return {check.name: check.required for check in checks if not check.ok}


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ({}, {}),
        ({"disk_free": 14 * GIB}, {"disk": True}),
        ({"disk_total": 4000 * GIB, "disk_free": 21 * GIB}, {}),
        ({"memory_available": GIB // 2}, {"memory": False}),
        ({"inotify_instances": 128}, {"inotify": False}),
        ({"inotify_watches": 8192}, {"inotify": False}),
        ({"has_ipv6": False}, {}),
    ],
)
def test_thresholds(changes: dict[str, Any], fails: dict[str, bool]) -> None:
    assert failing(replace(GOOD, **changes)) == fails


def test_what_a_machine_does_not_tell_is_taken_to_be_well() -> None:
    assert failing(Host(disk_path="/")) == {}


@pytest.mark.parametrize(
    ("version", "ok"),
    [("20.10.24", True), ("26.1.5+dfsg1", True), ("19.03.15", False), ("20.4", False), ("", True)],
)
def test_the_version_of_docker(version: str, *, ok: bool) -> None:
    assert docker_version_check(version).ok is ok


def test_this_machine_is_read() -> None:
    host = read_host("/nowhere/docker")
    assert host.disk_path == "/"
    assert (host.disk_total or 0) > (host.disk_free or 0) > 0


def test_a_strange_machine_is_no_error(tmp_path: Path) -> None:
    host = read_host(proc=tmp_path)
    assert host.memory_total is None
    assert host.inotify_watches is None
    (tmp_path / "meminfo").write_text("MemTotal:  1000 kB\nMemAvailable: 10 kB\nodd\n")
    assert read_host(proc=tmp_path).memory_available == 10 * 1024


class Docker:
    """Answers like the engine."""

    def __init__(self, version: str) -> None:
        self.version = version

    async def info(self) -> dict[str, Any]:
        return {"ServerVersion": self.version, "DockerRootDir": "/var/lib/docker"}


@pytest.mark.parametrize(
    ("version", "host", "code"),
    [
        ("19.03.1", GOOD, "docker_old"),
        ("26.1.5", replace(GOOD, disk_free=GIB), "disk_low"),
        ("26.1.5", GOOD, "host_unfit"),
    ],
)
async def test_a_create_is_refused_before_kind_runs(
    version: str, host: Host, code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kind_facts, "read_host", lambda _: host)
    docker: Any = Docker(version)
    with pytest.raises(DriverError) as refused:
        await kind_facts.preflight(docker, kind=tmp_path / "no-kind-here")
    assert refused.value.explanation.code == code
    assert refused.value.explanation.fix


async def test_what_is_only_advised_refuses_no_create(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kind = tmp_path / "kind"
    kind.write_text("#!/bin/sh\necho kind v0.33.0\n")
    kind.chmod(0o755)
    host = replace(GOOD, inotify_instances=1, memory_available=1)
    monkeypatch.setattr(kind_facts, "read_host", lambda _: host)
    docker: Any = Docker("26.1.5")
    await kind_facts.preflight(docker, kind=kind)
