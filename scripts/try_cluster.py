"""Talks to a running server as the page does. Used by try-compose.sh.

create NAME      registers, makes a cluster, waits until it is ready, asks kubectl for its nodes,
                 loads an image as slowly as a person may
add NAME         the same person makes another cluster
expect NAME      the cluster is still there and kubectl still reaches it
expect-empty     nobody is registered
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

PASSWORD = "correct horse battery"  # noqa: S105 - of a server that lives for minutes
READY_SECONDS = 240.0
UPLOAD_SECONDS = 25
"""Another request would have been given up by then."""
PIECE_BYTES = 512 * 1024


def main(url: str, verb: str, name: str = "") -> None:
    """Do one of the verbs; an assertion says what is wrong."""
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=30) as client:
        server = client.get("/api/v1/server").raise_for_status().json()
        if verb == "expect-empty":
            assert server["is_empty"], "somebody is registered"
            return
        account = {"username": "tester", "password": PASSWORD}
        way = "register" if verb == "create" else "login"
        client.post(f"/api/v1/auth/{way}", json=account).raise_for_status()
        if verb in {"create", "add"}:
            client.post("/api/v1/clusters", json={"name": name}).raise_for_status()
        wait_ready(client, name)
        config = client.get(f"/api/v1/clusters/{name}/kubeconfig").raise_for_status().text
        if server["driver"] == "kind":
            ask_nodes(config)
        if verb == "create":
            load_image(client, name)


def load_image(client: httpx.Client, name: str) -> None:
    """Send an image through what stands before the server: longer and for longer than the rest."""
    from tests.archives import image_archive

    image = "docker.io/library/tried:1"
    archive = image_archive(image, layer_bytes=PIECE_BYTES * UPLOAD_SECONDS)

    def slowly() -> Iterator[bytes]:
        for start in range(0, len(archive), PIECE_BYTES):
            yield archive[start : start + PIECE_BYTES]
            time.sleep(1)

    path = f"/api/v1/clusters/{name}/images"
    headers = {"Content-Type": "application/x-tar"}
    answer = client.post(path, content=slowly(), headers=headers, timeout=READY_SECONDS)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    assert answer.json()["names"] == [image]


def wait_ready(client: httpx.Client, name: str) -> None:
    """Wait until the cluster can be used."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        cluster = client.get(f"/api/v1/clusters/{name}").raise_for_status().json()
        assert cluster["phase"] != "failed", cluster["failure"]
        if cluster["phase"] == "ready":
            return
        assert time.monotonic() < deadline, f"{name} is still {cluster['phase']}"
        time.sleep(0.3)


def ask_nodes(config: str) -> None:
    """Ask kubectl, as a person would; the node must be Ready."""
    kubectl = Path(sys.prefix) / "bin" / "kubectl"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config)
        file.flush()
        done = subprocess.run(
            [str(kubectl) if kubectl.exists() else "kubectl", "get", "nodes", "--no-headers"],
            env={**os.environ, "KUBECONFIG": file.name},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    sys.stdout.write(done.stdout + done.stderr)
    assert done.returncode == 0, "kubectl does not reach the cluster"
    assert " Ready " in done.stdout, "the node is not Ready"


if __name__ == "__main__":
    main(*sys.argv[1:])
