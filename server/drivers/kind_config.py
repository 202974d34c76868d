"""kind's configuration of an attempt. Pure.

A tuned cluster has one node, which makes some things superfluous: a network plugin that learns
the routes to other nodes, the election of a leader among one, and the suspicion that a node which
was silent for a while is lost. ADR 0012 has what each of them gains.
"""

import io
from typing import Any, Final

from ruamel.yaml import YAML

from server.drivers.base import AttemptSpec
from server.drivers.kind_node import PATCHES
from server.templates import is_tuned

POD_SUBNET: Final = "10.244.0.0/16"
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
    # Its forty controllers ask for a credential each before any of them begins: with the usual 20
    # questions a second that takes 3 s.
    "kube-api-qps": "200",
    "kube-api-burst": "400",
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
        patches = [*(each for version in _KUBEADM for each in _patches(version)), _KUBELET]
        config["kubeadmConfigPatches"] = [_yaml(each) for each in patches]
    return _yaml(config)


def _patches(version: str) -> list[dict[str, Any]]:
    # Keys of an elliptic curve are made in no time, and each handshake is quicker.
    quick_keys = {} if version == _KUBEADM[0] else {"encryptionAlgorithm": "ECDSA-P256"}
    cluster = {
        "kind": "ClusterConfiguration",
        "apiVersion": version,
        **quick_keys,
        "controllerManager": {"extraArgs": _arguments(version, _CONTROLLERS)},
        "scheduler": {"extraArgs": _arguments(version, _ALONE)},
    }
    node = {
        "kind": "InitConfiguration",
        "apiVersion": version,
        "patches": {"directory": PATCHES},
    }
    return [cluster, node]


def _arguments(version: str, given: dict[str, str]) -> dict[str, str] | list[dict[str, str]]:
    """Write arguments as this version of kubeadm has them."""
    if version == _KUBEADM[0]:
        return given
    return [{"name": name, "value": value} for name, value in given.items()]


def _yaml(document: dict[str, Any]) -> str:
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, text)
    return text.getvalue()
