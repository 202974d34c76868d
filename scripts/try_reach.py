"""Tries what a cluster of a server in containers can reach. Used by try-compose.sh.

try_reach.py PROJECT NODE [--wide]

From a pod without any right and from the node's own network, as its root sees it, to all that is
beside it: the backend, the page, the database, the machine, other clusters. What answers may only
be the cluster itself and the cache of images. `--wide`: from the node every port of what is there,
else those that are ours. What a pod sends leaves through its node, which can do all that it can.
"""

import base64
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

IMAGE: Final = "python:3.13-slim"
OURS: Final = [22, 53, 80, 443, 2375, 2376, 2379, 3000, 5000, 5432, 6443, 8000, 8443, 8444, 10250]
CACHE_PORT: Final = 5000
DNS_PORT: Final = 53
POD_SECONDS: Final = 1500.0
REACH: Final = Path(__file__).with_name("reach.py")


def docker(*argv: str, text: str | None = None) -> str:
    """Run docker; return what it prints."""
    done = subprocess.run(
        ["docker", *argv],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=POD_SECONDS,
    )
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


def inspected(*containers: str) -> list[dict[str, Any]]:
    """Return what Docker knows of containers."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", *containers)) if containers else []
    return found


def addresses_of(container: dict[str, Any], key: str = "IPAddress") -> set[str]:
    """Return a container's addresses, or its networks' gateways."""
    networks = container["NetworkSettings"]["Networks"].values()
    return {at[key] for at in networks if at[key]}


@dataclass
class Targets:
    """What to try from a cluster, and whose addresses are among it."""

    hosts: set[str]
    gateway: str
    own: set[str]
    caches: set[str]
    backend: set[str]
    """The backend's address in the cluster's network."""
    there: set[str]
    """Addresses of which each port is tried: of other containers, and one of the machine's."""


def targets(project: str, node: str) -> Targets:
    """Find what the server has, what its other clusters have, and the addresses of the machine."""
    [own] = inspected(node)
    [network] = own["NetworkSettings"]["Networks"]
    [shown] = json.loads(docker("network", "inspect", network))
    subnet = ip_network(shown["IPAM"]["Config"][0]["Subnet"])
    gateway = own["NetworkSettings"]["Networks"][network]["Gateway"]
    found = Targets(
        {str(each) for each in subnet.hosts()}, gateway, addresses_of(own), set(), set(), set()
    )
    found.hosts |= {"169.254.169.254", "host.docker.internal"}
    instance = f"label=pyk8s.instance={shown['Labels']['pyk8s.instance']}"
    ours = set(docker("ps", "-q", "-f", f"label=com.docker.compose.project={project}").split())
    for joined in docker("network", "ls", "-q", "-f", instance).split():
        ours |= set(docker("ps", "-q", "-f", f"network={joined}").split())
    for each in inspected(*ours):
        labels = each["Config"]["Labels"] or {}
        addresses = addresses_of(each)
        found.there |= addresses
        found.hosts |= addresses_of(each, "Gateway") | {each["Name"].lstrip("/")}
        if "pyk8s.cache" in labels:
            found.caches |= addresses
        if labels.get("com.docker.compose.project") == project:
            service = labels["com.docker.compose.service"]
            found.hosts.add(service)
            if service == "backend":
                found.backend.add(each["NetworkSettings"]["Networks"][network]["IPAddress"])
    on_host = ["run", "--rm", "--network", "host", "--entrypoint", "ip", own["Config"]["Image"]]
    for link in json.loads(docker(*on_host, "-j", "-4", "addr")):
        if link["ifname"] != "lo":
            found.hosts |= {at["local"] for at in link["addr_info"]}
    found.there = (found.there | {gateway}) - found.own
    found.hosts |= found.there
    return found


def from_node(node: str, wish: str) -> dict[str, Any]:
    """Try from the node's network, with all rights in it."""
    argv = ["run", "--rm", "-i", "--network", f"container:{node}",
            "--entrypoint", "python", IMAGE, "-", wish]  # fmt: skip
    told: dict[str, Any] = json.loads(docker(*argv, text=REACH.read_text()))
    return told


def from_pod(node: str, wish: str) -> dict[str, Any]:
    """Try from a pod that has no right at all."""
    load = f"docker save {IMAGE} | docker exec -i {node} ctr -n k8s.io images import -"
    subprocess.run(["bash", "-o", "pipefail", "-c", load], check=True, stdout=subprocess.DEVNULL)
    script = base64.b64encode(REACH.read_bytes()).decode()
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "reach"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "reach",
                    "image": f"docker.io/library/{IMAGE}",
                    "imagePullPolicy": "Never",
                    "command": [
                        "python",
                        "-c",
                        f"import base64; exec(base64.b64decode('{script}'))",
                        wish,
                    ],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
    kubectl = ["exec", "-i", node, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]
    docker(*kubectl, "delete", "pod", "reach", "--ignore-not-found")
    docker(*kubectl, "apply", "-f", "-", text=json.dumps(pod))
    until = time.monotonic() + POD_SECONDS
    while True:
        phase = docker(*kubectl, "get", "pod", "reach", "-o", "jsonpath={.status.phase}")
        if phase in {"Succeeded", "Failed"}:
            break
        assert time.monotonic() < until, f"the pod is {phase}"
        time.sleep(1)
    said = docker(*kubectl, "logs", "reach")
    docker(*kubectl, "delete", "pod", "reach")
    assert phase == "Succeeded", said
    told: dict[str, Any] = json.loads(said)
    return told


def judge(where: str, told: dict[str, Any], tried: Targets) -> None:
    """Say what was reached; an assertion says what should not have been."""
    wrong = []
    for each in told["open"]:
        is_own = each["address"] in tried.own
        is_cache = each["address"] in tried.caches and each["port"] == CACHE_PORT
        # Docker gives it an address in this network; the server hangs up before it reads.
        is_refused = each["address"] in tried.backend and not each["answered"]
        # kind turns this into Docker's resolver within the node, before it leaves.
        is_resolver = (each["address"], each["port"]) == (tried.gateway, DNS_PORT)
        if not (is_own or is_cache or is_refused or is_resolver):
            wrong.append(each)
    names = ", ".join(sorted(host for host in told["addresses"] if not host[0].isdigit()))
    count = len(set(told["addresses"].values()))
    sys.stdout.write(f"from {where}: {count} addresses tried, among them those of {names}\n")
    assert any(each["address"] in tried.own for each in told["open"]), "nothing answers at all"
    assert not wrong, f"reached from {where}: {wrong}"


def main(project: str, node: str, width: str = "") -> None:
    """Try from both."""
    tried = targets(project, node)
    wish = {"hosts": sorted(tried.hosts), "ports": OURS, "wide": []}
    judge("a pod", from_pod(node, json.dumps(wish)), tried)
    if width == "--wide":
        wish["wide"] = sorted(tried.there)
        # Else what is dropped fills the table of connections, and what is open looks closed.
        docker("exec", node, "sysctl", "-w", "net.netfilter.nf_conntrack_tcp_timeout_syn_sent=3")
    judge("a node", from_node(node, json.dumps(wish)), tried)


if __name__ == "__main__":
    main(*sys.argv[1:])
