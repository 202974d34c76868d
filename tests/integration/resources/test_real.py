"""A cluster of real kind, looked into and used through everything that a user goes through."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from server.config import Settings
from tests.drivers.conftest import why_no_kind
from tests.integration.conftest import Caller, LabServer
from tests.integration.resources import kubectl
from tests.integration.resources.test_api import looking
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(420)]

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox:1.37
        imagePullPolicy: Never
        command: [sh, -c, "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done"]
      - name: crashing
        image: busybox:1.37
        imagePullPolicy: Never
        command: [sh, -c, "echo it crashed; exit 3"]
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    ports = {"proxy_port": free_port(), "apps_port": free_port()}
    return settings.model_copy(update={"driver": "kind", "cluster_isolation": "off", **ports})


@pytest.fixture
async def cluster(lab_server: LabServer, ann: Caller) -> AsyncIterator[dict[str, Any]]:
    made = await ann.create(name="inside")
    path = f"/api/v1/clusters/{made['id']}"
    try:
        async with asyncio.timeout(200):
            while (now := (await ann.http.get(path)).json())["phase"] != "ready":
                assert now["phase"] != "failed", now["failure"]
                await asyncio.sleep(0.5)
        yield now
    finally:
        await ann.http.delete(path)
        async with asyncio.timeout(100):
            while (await ann.http.get(path)).json()["phase"] != "deleted":
                await asyncio.sleep(0.5)


async def test_a_real_cluster_is_looked_into_and_used(
    ann: Caller, cluster: dict[str, Any], settings: Settings
) -> None:
    path = f"/api/v1/clusters/{cluster['id']}"
    kubeconfig = settings.data_dir / "kubeconfig"
    await anyio.Path(kubeconfig).write_text((await ann.http.get(path + "/kubeconfig")).text)
    async with looking(ann, path) as stream:
        snapshot = await stream.until("snapshot")
        (node,) = [row for row in snapshot["items"] if row["kind"] == "Node"]
        assert (node["status"], node["version"]) == ("Ready", cluster["kubernetes_version"])
        apply = ["kubectl", "--kubeconfig", str(kubeconfig), "apply", "-f", "-"]
        with anyio.fail_after(60):
            await anyio.run_process(apply, input=MANIFEST.encode())
        pod: dict[str, Any] = {}
        seen = set()
        while pod.get("restarts", 0) < 2:
            for row in (await stream.until("change"))["put"]:
                if row["kind"] == "Pod" and row["namespace"] == "default":
                    pod = row
                    seen.add(row["status"])
        assert {"ContainerCreating", "Error"} <= seen
    answer = await ann.http.get(path + "/resources")
    rows = {(row["kind"], row["name"]): row for row in answer.json()["items"]}
    assert rows["Deployment", "web"]["desired"] == 1
    now = rows["Pod", pod["name"]]
    assert (now["total"], now["containers"][0]["state"]) == (2, "Running")
    assert any(kind == "Event" and "web" in name for kind, name in rows)
    log = f"{path}/pods/default/{pod['name']}/log"
    async with asyncio.timeout(60):
        # While it crashes once more the kubelet has removed the one before already.
        while await log_before(ann.http, log) != "it crashed\n":
            await asyncio.sleep(1)
    await follows(ann.http, log)
    await kubectl.all_of_it(ann, path, pod["name"], settings.data_dir)


async def log_before(http: httpx.AsyncClient, log: str) -> str:
    return (await http.get(log, params={"container": "crashing", "previous": "1"})).text


async def follows(http: httpx.AsyncClient, log: str) -> None:
    """See that lines come that were not there when it was asked for."""
    there = (await http.get(log, params={"container": "main"})).text.splitlines()
    query = {"container": "main", "follow": "1", "tail_lines": "1"}
    async with http.stream("GET", log, params=query, timeout=60) as answer, asyncio.timeout(60):
        wanted = f"line {len(there) + 5}"
        async for line in answer.aiter_lines():
            if line == wanted:
                return
    raise AssertionError(f"{wanted} never came")
