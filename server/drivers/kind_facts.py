"""What kind needs on a machine: whether it is there, and how to mend what is missing."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio.to_thread

from pyk8s.wire.service import Check
from server.drivers.base import DriverError, Explanation, Facts
from server.drivers.docker import DockerEngine, version_of
from server.drivers.host import read_host
from server.drivers.host_checks import docker_version_check, host_checks, unfit
from server.drivers.kind_usage import space_of

NODE_REPOSITORY: Final = "kindest/node"
DEFAULT_IMAGE: Final = (
    f"{NODE_REPOSITORY}:v1.37.0"
    "@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
)
"""What kind v0.33.0 takes when nobody says otherwise."""

KIND_SECONDS: Final = 10.0

ESSENTIAL: Final = frozenset({"docker", "docker_version", "kind"})
"""Without these there are no real clusters at all; the other checks come and go."""


def find_kind(path: Path | None) -> Path:
    """Find the program kind.

    Raises:
        DriverError: it is not there, or cannot be run.
    """
    found = shutil.which(path or "kind")
    if found is None:
        where = f"{path} is no program" if path else "there is no `kind` in PATH"
        raise DriverError(
            Explanation(
                code="kind_missing",
                title="kind is not installed",
                cause=where,
                fix="install it (https://kind.sigs.k8s.io, or: go install "
                "sigs.k8s.io/kind@v0.33.0), or set PYK8S_KIND_PATH, or use "
                "PYK8S_DRIVER=simulated",
            )
        )
    if shutil.which("docker") is None:
        raise DriverError(
            Explanation(
                code="docker_client_missing",
                title="The Docker client is not installed",
                cause="kind calls the program `docker`, and there is none in PATH",
                fix="install Docker's command line client, or use PYK8S_DRIVER=simulated",
            )
        )
    return Path(found)


async def facts(docker: DockerEngine, *, kind: Path, node_image: str | None) -> Facts:
    """Look at everything. Never raises: what is wrong is a check that says so."""
    images: dict[str, str] = {}
    info: Mapping[str, Any] = {}
    try:
        info = await docker.info()
        images = await docker.node_images()
        said = f"Docker {info.get('ServerVersion', '?')} answers"
        docker_check = Check(name="docker", ok=True, detail=said)
    except DriverError as error:
        why = error.explanation
        docker_check = Check(
            name="docker", ok=False, detail=f"{why.title}: {why.cause}", fix=why.fix
        )
    if node_image is not None:
        images = {version_of(node_image) or "custom": node_image}
    default = max(images, key=_order, default=version_of(DEFAULT_IMAGE) or "")
    host = await anyio.to_thread.run_sync(partial(read_host, info.get("DockerRootDir")))
    checks = [docker_check, await _kind_check(kind)]
    if docker_check.ok:  # otherwise nobody knows
        checks.append(docker_version_check(info.get("ServerVersion", "")))
        checks.append(_image_check(images, default, is_configured=node_image is not None))
        checks.append(_cgroup_check(info))
        checks += host_checks(host)
    return Facts(
        node_images=images,
        default_kubernetes_version=default,
        space=space_of(info, host),
        checks=checks,
    )


async def image_of(docker: DockerEngine, version: str, *, configured: str | None) -> str:
    """Choose the node image for a Kubernetes version: the operator's, a local one, or kind's."""
    if configured is not None and version_of(configured) in {version, None}:
        return configured
    local = await docker.node_images()
    if version in local:
        return local[version]
    if version_of(DEFAULT_IMAGE) == version:
        return DEFAULT_IMAGE
    return f"{NODE_REPOSITORY}:{version}"


async def preflight(docker: DockerEngine, *, kind: Path) -> None:
    """Look whether a create can go well, before it begins.

    Raises:
        DriverError: a check that is required fails; it says which, and how to mend it.
    """
    info = await docker.info()
    host = await anyio.to_thread.run_sync(partial(read_host, info.get("DockerRootDir")))
    checks = [docker_version_check(info.get("ServerVersion", "")), *host_checks(host)]
    for check in [*checks, await _kind_check(kind)]:
        if check.required and not check.ok:
            raise DriverError(unfit(check))


def _order(version: str) -> tuple[int, ...]:
    numbers = version.removeprefix("v").split(".")
    return tuple(int(number) for number in numbers) if all(map(str.isdigit, numbers)) else (0,)


async def _kind_check(kind: Path) -> Check:
    fix = "run it by hand to see why; install it anew if it is broken"
    try:
        process = await asyncio.create_subprocess_exec(
            str(kind), "version",
            env={"PATH": os.defpath},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        return Check(name="kind", ok=False, detail=f"{kind}: {error.strerror}", fix=fix)
    try:
        async with asyncio.timeout(KIND_SECONDS):
            out, _ = await process.communicate()
    except TimeoutError:
        return Check(name="kind", ok=False, detail=f"{kind} version gives no answer", fix=fix)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        return Check(name="kind", ok=False, detail=f"{kind} version fails", fix=fix)
    return Check(name="kind", ok=True, detail=out.decode("utf-8", "replace").strip())


def _image_check(images: Mapping[str, str], default: str, *, is_configured: bool) -> Check:
    if is_configured:
        detail = f"{images[default]} is configured"
    elif images:
        detail = f"{images[default]} is on this host"
    else:
        return Check(
            name="node_image",
            ok=False,
            required=False,
            detail=f"no node image is on this host: the first cluster pulls {DEFAULT_IMAGE}",
            fix=f"docker pull {DEFAULT_IMAGE}",
        )
    return Check(name="node_image", ok=True, detail=detail)


def _cgroup_check(info: Mapping[str, Any]) -> Check:
    version = str(info.get("CgroupVersion", "?"))
    if version != "1":
        return Check(name="cgroup", ok=True, detail=f"cgroup v{version}", required=False)
    return Check(
        name="cgroup",
        ok=False,
        required=False,
        detail="this host has cgroup v1: the kubelet of Kubernetes 1.35 and later may refuse it",
        fix="boot with systemd.unified_cgroup_hierarchy=1, or use node images of 1.34 or older",
    )
