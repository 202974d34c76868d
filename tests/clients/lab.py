"""A server with one cluster of real kind, and the kubeconfigs that its user gets."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.ports import free_port

ENDPOINTS = ("proxy", "direct")
IMAGE = "busybox:1.37"
"""Is in the node image: nothing is pulled."""

SHARED = "clients"
"""Namespace of the pod into which every client executes and forwards."""

MANIFEST = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {SHARED}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: {SHARED}, labels: {{app: web}}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: {IMAGE}
    imagePullPolicy: Never
    command:
    - sh
    - -c
    - |
      mkdir /www; echo hello > /www/index.html; httpd -p 8080 -h /www
      i=0; while sleep 0.2; do i=$((i+1)); echo line $i; done
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: {SHARED}}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
"""

CREATE_SECONDS = 300
DELETE_SECONDS = 120
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Lab:
    """One ready cluster, reached in both ways."""

    kubeconfigs: dict[str, Path]
    kubernetes_version: str


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


@contextmanager
def running_lab(database_url: str, folder: Path) -> Iterator[Lab]:
    """Run a server, create a cluster, and delete both afterwards."""
    port, log = free_port(), folder / "server.log"
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    settings = {
        "PYK8S_DATA_DIR": str(folder / "data"),
        "PYK8S_DATABASE_URL": database_url,
        "PYK8S_DRIVER": "kind",
        "PYK8S_CLUSTER_ISOLATION": "off",  # firewall rules outlive a server
        "PYK8S_PORT": str(port),
        "PYK8S_PROXY_PORT": str(free_port()),
        "PYK8S_APPS_PORT": "0",
    }
    with (
        log.open("wb") as written,
        subprocess.Popen(
            [sys.executable, "-m", "server"], env=kept | settings, stdout=written, stderr=written
        ) as process,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60
        ) as http,
    ):  # fmt: skip
        try:
            until(lambda: _is_ready(process, http, log), START_SECONDS, "the server is ready")
            with _cluster(http) as cluster:
                yield _entered(http, cluster, folder)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _is_ready(process: subprocess.Popen[bytes], http: httpx.Client, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return http.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def _cluster(http: httpx.Client) -> Iterator[dict[str, Any]]:
    account = {"username": "ann", "password": "correct horse battery"}
    answer = http.post("/api/v1/auth/register", json=account)
    assert answer.status_code == 201, answer.text
    http.headers["Origin"] = str(http.base_url).rstrip("/")
    answer = http.post("/api/v1/clusters", json={"name": "clients"})
    assert answer.status_code == 202, answer.text
    path = f"/api/v1/clusters/{answer.json()['id']}"

    def phase() -> str:
        now = http.get(path).json()
        assert now["phase"] != "failed", now["failure"]
        return str(now["phase"])

    try:
        until(lambda: phase() == "ready", CREATE_SECONDS, "the cluster is ready")
        yield http.get(path).json()
    finally:
        http.delete(path)
        until(
            lambda: http.get(path).json()["phase"] in ("deleted", "failed"),
            DELETE_SECONDS,
            "the cluster is deleted",
        )


def _entered(http: httpx.Client, cluster: dict[str, Any], folder: Path) -> Lab:
    kubeconfigs = {}
    for endpoint in ENDPOINTS:
        answer = http.get(f"/api/v1/clusters/{cluster['id']}/kubeconfig?endpoint={endpoint}")
        assert answer.status_code == 200, answer.text
        kubeconfigs[endpoint] = folder / f"{endpoint}.yaml"
        kubeconfigs[endpoint].write_text(answer.text)
    kubectl = ["kubectl", "--kubeconfig", str(kubeconfigs["direct"])]
    # The namespace's ServiceAccount comes a moment after the namespace: apply again until it holds.
    until(
        lambda: subprocess.run(
            [*kubectl, "apply", "-f", "-"],
            input=MANIFEST.encode(), capture_output=True, timeout=60, check=False,
        ).returncode == 0,
        60,
        "the shared pod is accepted",
    )  # fmt: skip
    ready = ["-n", SHARED, "wait", "--for=condition=Ready", "pod/web", "--timeout=120s"]
    subprocess.run([*kubectl, *ready], capture_output=True, timeout=150, check=True)
    return Lab(kubeconfigs, cluster["kubernetes_version"])
