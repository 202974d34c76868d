"""An import of images in a node is ended there, whatever it does, when it is given up."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Final
from uuid import uuid4

import anyio
import pytest

from server.drivers import kind_images
from server.drivers.base import DriverError
from server.drivers.docker import CLUSTER_LABEL, DockerEngine
from tests.archives import image_archive
from tests.drivers.conftest import why_no_kind
from tests.faults.site import eventually

pytestmark = pytest.mark.docker

STUBBORN: Final = """#!/bin/sh
case "$*" in *--help*) exit 0;; esac
trap '' HUP INT TERM PIPE
sleep 1000 &
while :; do sleep 1; done
"""
"""Stands in for containerd's program: it reads nothing and ends by itself at nothing."""


def docker(*arguments: str, given: str | None = None) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        input=given, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def node() -> Iterator[str]:
    """Run what looks like the node of a cluster; give its name, which is the cluster's as well."""
    if (reason := why_no_kind()) is not None:
        pytest.skip(reason)
    tags = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "kindest/node")
    name = f"pyk8s-import-{uuid4().hex[:12]}"
    docker(
        "run", "--detach", "--name", name, "--label", f"{CLUSTER_LABEL}={name}",
        "--network", "none", "--entrypoint", "sleep", tags.splitlines()[0], "600",
    )  # fmt: skip
    try:
        write = "cat > /usr/local/bin/ctr && chmod 755 /usr/local/bin/ctr"
        docker("exec", "-i", name, "sh", "-c", write, given=STUBBORN)
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


async def importing(node: str) -> list[str]:
    """List the programs of an import that run in a node."""
    listed = "grep -lsz ^PYK8S_IMPORT= /proc/[0-9]*/environ || true"
    return (await anyio.to_thread.run_sync(docker, "exec", node, "sh", "-c", listed)).split()


@pytest.mark.parametrize("how", ["cancelled", "the sender goes", "silent"])
async def test_what_is_given_up_is_ended_in_the_node(
    node: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind_images, "SILENT_SECONDS", 1.0 if how == "silent" else 300.0)
    engine = DockerEngine()
    runs = anyio.Event()

    async def archive() -> AsyncIterator[bytes]:
        yield image_archive()
        await eventually(has_begun, 60)
        runs.set()
        if how == "the sender goes":
            raise LookupError
        if how == "cancelled":
            await anyio.sleep_forever()

    async def has_begun() -> bool:
        return len(await importing(node)) >= 2

    async def load() -> None:
        raised = {"the sender goes": LookupError, "silent": DriverError}.get(how)
        if raised is None:
            await kind_images.load(engine, node, archive(), os.environ)
        else:
            with pytest.raises(raised):
                await kind_images.load(engine, node, archive(), os.environ)

    try:
        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(load)
                await runs.wait()
                if how == "cancelled":
                    tasks.cancel_scope.cancel()
        assert await importing(node) == []
    finally:
        await engine.close()
