"""Programs that others wrote, against a real cluster through the proxy."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
import websockets

from bench.rows.proxy import Way, way_of
from server.config import Settings
from tests.drivers.conftest import why_no_kind
from tests.integration.conftest import Caller, LabServer
from tests.integration.resources.kubectl import Kubectl
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

SOURCES: Final = Path(__file__).parent / "clientgo"
BUILD_SECONDS: Final = 600
"""client-go is 85 s of processor time; the second time Go's own cache has it."""

POD: Final = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1.37
    imagePullPolicy: Never
    command: [sh, -c, "mkdir -p /w; echo hello > /w/index.html; httpd -f -p 8080 -h /w"]
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    ports = {"proxy_port": free_port(), "apps_port": free_port()}
    return settings.model_copy(update={"driver": "kind", "cluster_isolation": "off", **ports})


@pytest.fixture
async def kubeconfig(lab_server: LabServer, ann: Caller, settings: Settings) -> AsyncIterator[Path]:
    """Make a cluster with a pod `web`; yield the file of a kubeconfig through the proxy."""
    made = await ann.create(name="clients")
    path = f"/api/v1/clusters/{made['id']}"
    try:
        async with asyncio.timeout(200):
            while (now := (await ann.http.get(path)).json())["phase"] != "ready":
                assert now["phase"] != "failed", now["failure"]
                await asyncio.sleep(0.5)
        file = settings.data_dir / "kubeconfig"
        await anyio.Path(file).write_text((await ann.http.get(path + "/kubeconfig")).text)
        kubectl = Kubectl(file)
        await until_accounts_exist(kubectl)
        await kubectl.run("apply", "-f", "-", typed=POD.encode())
        await kubectl.run("wait", "--for=condition=Ready", "pod/web", "--timeout=55s")
        yield file
    finally:
        await ann.http.delete(path)
        async with asyncio.timeout(100):
            while (await ann.http.get(path)).json()["phase"] != "deleted":
                await asyncio.sleep(0.5)


async def until_accounts_exist(kubectl: Kubectl) -> None:
    """Wait for the ServiceAccount that every pod needs."""
    await kubectl.run("wait", "--for=create", "serviceaccount/default", "--timeout=55s")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program of client-go. Skips where there is no Go, or where the modules are not."""
    if shutil.which("go") is None:
        pytest.skip("there is no Go on this machine")
    made = tmp_path_factory.mktemp("clientgo") / "spdycheck"

    async def build() -> str | None:
        with anyio.fail_after(BUILD_SECONDS):
            done = await anyio.run_process(
                ["go", "build", "-mod=readonly", "-o", str(made), "."],
                cwd=SOURCES,
                check=False,
                env={**os.environ, "GOPROXY": "off", "GOFLAGS": "-buildvcs=false"},
            )
        return None if done.returncode == 0 else done.stderr.decode()

    complaint = asyncio.run(build())
    if complaint is not None and "module lookup disabled" in complaint:
        pytest.skip("the modules of client-go are not in Go's cache: go mod download in clientgo")
    assert complaint is None, complaint
    return made


async def test_client_go_executes_and_forwards_over_spdy_and_watches(
    program: Path, kubeconfig: Path
) -> None:
    with anyio.fail_after(120):
        done = await anyio.run_process(
            [str(program), str(kubeconfig), "default", "web", "main", "8080"]
        )
    found = json.loads(done.stdout)
    refusal = found.pop("refusal")
    assert found == {"echoed": 3 * 1024 * 1024, "exit": 5, "forward": "hello", "watches": 100}
    assert "container absent is not valid for pod web" in refusal


async def test_a_watch_over_a_websocket_has_frames_and_a_close(kubeconfig: Path) -> None:
    way = way_of(await anyio.Path(kubeconfig).read_text())
    seen, code = await watched(way, "/api/v1/namespaces/default/pods?watch=true&timeoutSeconds=2")
    assert "ADDED" in seen
    assert code == 1000
    said = await Kubectl(kubeconfig).fails("exec", "web", "-c", "absent", "--", "true")
    assert "container absent is not valid" in said


async def watched(way: Way, path: str) -> tuple[list[str], int | None]:
    """Watch until the API server ends it; return the types of events, and its close code."""
    url = way.url.replace("https:", "wss:") + path
    seen: list[str] = []
    async with (
        asyncio.timeout(60),
        websockets.connect(url, ssl=way.ssl, additional_headers=way.headers, proxy=None) as socket,
    ):
        async for message in socket:
            event: dict[str, Any] = json.loads(message)
            seen.append(event["type"])
    return seen, socket.close_code
