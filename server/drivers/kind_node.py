"""What is written into the node of a tuned cluster before kubeadm begins. Pure.

A shell script, run in the node as soon as its container runs. Whatever comes too late costs nothing
but its gain: kubeadm takes the patches that it finds in a folder which is there in any case.
"""

import json
import re
from typing import Any, Final

NODE_PODS: Final = "10.244.0.0/24"
"""What the controller manager gives the first node of the pods' subnet."""
PATCHES: Final = "/kind"
"""Where kubeadm looks for patches: kind's own folder in each node image."""
READINESS_SECONDS: Final = 10
"""Between two questions to a component whether it is ready. kubeadm has one second, and each is a
TLS handshake: a sixth of what an idle cluster takes. Whether it lives is asked as seldom."""
PROBED: Final = ("kube-apiserver",)
PROBED_SINCE_136: Final = ("kube-apiserver", "kube-scheduler", "etcd")
"""Those that have such a probe. To one that has none a patch would add half of one."""
_MINOR: Final = re.compile(r"v1\.(\d+)\.")


def node_script(kubernetes_version: str) -> str:
    """Write the script."""
    files = {
        f"{PATCHES}/{name}+strategic.json": json.dumps(_slower_probe(name))
        for name in _probed(kubernetes_version)
    }
    files["/etc/cni/net.d/10-pyk8s.conflist"] = network_of("$mtu")
    return "\n".join(
        [
            "set -e",
            "mtu=$(cat /sys/class/net/eth0/mtu)",
            "mkdir -p /etc/cni/net.d",
            *(_write(path, text) for path, text in files.items()),
            "",
        ]
    )


def network_of(mtu: str) -> str:
    """Write what containerd connects the pods of the only node with (a CNI `conflist`).

    `mtu`: as text, of the node's own interface: pods must not send what does not fit through it.
    """
    plugins = [
        {
            "type": "ptp",
            "ipMasq": True,
            "mtu": 0,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni-ipam-state",
                "routes": [{"dst": "0.0.0.0/0"}],
                "ranges": [[{"subnet": NODE_PODS}]],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    written = json.dumps({"cniVersion": "0.3.1", "name": "pyk8s", "plugins": plugins})
    return written.replace('"mtu": 0', f'"mtu": {mtu}')


def _probed(kubernetes_version: str) -> tuple[str, ...]:
    found = _MINOR.match(kubernetes_version)
    is_new = found is not None and int(found.group(1)) >= 36  # noqa: PLR2004 - tried with it
    return PROBED_SINCE_136 if is_new else PROBED


def _slower_probe(name: str) -> dict[str, Any]:
    probe = {"periodSeconds": READINESS_SECONDS}
    return {"spec": {"containers": [{"name": name, "readinessProbe": probe}]}}


def _write(path: str, text: str) -> str:
    """Write a file in one go: who reads it sees all of it or nothing."""
    return f"cat > {path}.new <<END\n{text}\nEND\nmv {path}.new {path}"
