"""kind's configuration of an attempt. Pure.

A tuned cluster has one node, which makes some things superfluous: a network plugin that learns
the routes to other nodes, the election of a leader among one, and the suspicion that a node which
was silent for a while is lost. ADR 0012 has what each of them gains.
"""

import io
import json
from typing import Any, Final

from ruamel.yaml import YAML

from server.drivers.base import AttemptSpec
from server.templates import is_tuned

POD_SUBNET: Final = "10.244.0.0/16"
NODE_PODS: Final = "10.244.0.0/24"
"""What the controller manager gives the first node of that subnet."""
NEVER: Final = "8760h0m0s"
"""A year: a node that was paused is Ready when it goes on, whenever that is."""

_KUBELET: Final = {
    "kind": "KubeletConfiguration",
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    # After a pause of three minutes the kubelet takes its own view of the pods for stale, says at
    # once that the node is not Ready, and looks again after this time; by default after 10 s.
    "nodeStatusUpdateFrequency": "2s",
    # Else what has not changed would be written as often.
    "nodeStatusReportFrequency": "5m0s",
}
_ALONE: Final = {"leader-elect": "false"}
_CONTROLLERS: Final = {
    **_ALONE,
    "node-monitor-grace-period": NEVER,
    "enable-hostpath-provisioner": "true",  # kind's own: a list replaces the one that it stands in
}
_KUBEADM: Final = ("kubeadm.k8s.io/v1beta3", "kubeadm.k8s.io/v1beta4")
"""kind takes the one that fits the Kubernetes version; a patch for the other changes nothing."""


def config_of(spec: AttemptSpec, image: str) -> str:
    """Write the configuration, as YAML."""
    roles = ["control-plane"] * spec.control_planes + ["worker"] * spec.workers
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"apiServerAddress": "127.0.0.1"},
        "nodes": [{"role": role, "image": image} for role in roles],
    }
    if is_tuned(spec.template, spec.control_planes + spec.workers):
        config["networking"] |= {"disableDefaultCNI": True, "podSubnet": POD_SUBNET}
        patches = [*(_patch(version) for version in _KUBEADM), _KUBELET]
        config["kubeadmConfigPatches"] = [_yaml(each) for each in patches]
    return _yaml(config)


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


def _patch(version: str) -> dict[str, Any]:
    # Keys of an elliptic curve are made in no time, and each handshake is quicker.
    quick_keys = {} if version == _KUBEADM[0] else {"encryptionAlgorithm": "ECDSA-P256"}
    return {
        "kind": "ClusterConfiguration",
        "apiVersion": version,
        **quick_keys,
        "controllerManager": {"extraArgs": _arguments(version, _CONTROLLERS)},
        "scheduler": {"extraArgs": _arguments(version, _ALONE)},
    }


def _arguments(version: str, given: dict[str, str]) -> dict[str, str] | list[dict[str, str]]:
    """Write arguments as this version of kubeadm has them."""
    if version == _KUBEADM[0]:
        return given
    return [{"name": name, "value": value} for name, value in given.items()]


def _yaml(document: dict[str, Any]) -> str:
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, text)
    return text.getvalue()
