"""Checks the official client `kubernetes`. Usage: official.py KUBECONFIG NAMESPACE SHARED."""

import sys
from pathlib import Path

from kubernetes import client, config, dynamic, stream, watch

sys.path.insert(0, str(Path(__file__).parent))
from reporting import check, expect

kubeconfig, namespace, shared = sys.argv[1:]
config.load_kube_config(kubeconfig)
core = client.CoreV1Api()


def config_map(name: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={"value": "x"})


@check("list, create, patch, delete")
def _objects() -> None:
    core.create_namespaced_config_map(namespace, config_map("official"))
    patched = core.patch_namespaced_config_map("official", namespace, {"data": {"value": "y"}})
    expect(patched.data["value"], "y")
    names = [each.metadata.name for each in core.list_namespaced_config_map(namespace).items]
    expect("official" in names, True)
    core.delete_namespaced_config_map("official", namespace)


@check("watch")
def _watch() -> None:
    seen = watch.Watch().stream(core.list_namespaced_pod, shared, timeout_seconds=30)
    expect(next(iter(seen))["object"].metadata.name, "web")


@check("log, followed")
def _log() -> None:
    lines = watch.Watch().stream(
        core.read_namespaced_pod_log, "web", shared, tail_lines=1, _request_timeout=30
    )
    expect([next(lines).startswith("line") for _ in range(3)], [True] * 3)


@check("exec with exit code")
def _exec() -> None:
    socket = stream.stream(
        core.connect_get_namespaced_pod_exec, "web", shared,
        command=["sh", "-c", "echo said; exit 4"], stdout=True, stderr=True, stdin=False,
        tty=False, _preload_content=False,
    )  # fmt: skip
    socket.run_forever(timeout=30)
    expect((socket.read_stdout(), socket.returncode), ("said\n", 4))


@check("port-forward")
def _forward() -> None:
    forward = stream.portforward(
        core.connect_get_namespaced_pod_portforward, "web", shared, ports="8080"
    )
    socket = forward.socket(8080)
    socket.setblocking(True)
    socket.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
    got = b""
    while piece := socket.recv(4096):
        got += piece
    expect(got.endswith(b"hello\n"), True)


@check("dynamic client")
def _dynamic() -> None:
    pods = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="Pod")
    expect(pods.get(name="web", namespace=shared).metadata.name, "web")
