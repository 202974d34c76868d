"""Checks `kr8s`. Usage: kr8s_client.py KUBECONFIG NAMESPACE SHARED."""

import sys
from pathlib import Path

import httpx
import kr8s
from kr8s.objects import ConfigMap, Pod

sys.path.insert(0, str(Path(__file__).parent))
from reporting import check, expect

kubeconfig, namespace, shared = sys.argv[1:]
api = kr8s.api(kubeconfig=kubeconfig)


@check("list, create, patch, delete")
def _objects() -> None:
    made = ConfigMap(
        {"metadata": {"name": "kr8s", "namespace": namespace}, "data": {"value": "x"}}, api=api
    )
    made.create()
    made.patch({"data": {"value": "y"}})
    made.refresh()
    expect(made.data["value"], "y")
    made.delete()


@check("watch")
def _watch() -> None:
    _, pod = next(iter(api.watch("pods", namespace=shared)))
    expect(pod.name, "web")


@check("logs")
def _logs() -> None:
    pod = Pod.get("web", namespace=shared, api=api)
    expect(next(iter(pod.logs(tail_lines=1))).startswith("line"), True)


@check("exec")
def _exec() -> None:
    pod = Pod.get("web", namespace=shared, api=api)
    expect(pod.exec(["echo", "said"]).stdout, b"said\n")


@check("port-forward")
def _forward() -> None:
    pod = Pod.get("web", namespace=shared, api=api)
    with pod.portforward(remote_port=8080, local_port="auto") as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/index.html", trust_env=False, timeout=30)
    expect(answer.text, "hello\n")


@check("whoami")
def _whoami() -> None:
    expect(api.whoami().startswith("ann"), True)
