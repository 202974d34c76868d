"""What kubeadm, the kubelet and kind itself say. The general rules are the last ones."""

from typing import Final

from pyk8s.wire.cluster import Step
from server.drivers.base import Explanation
from server.drivers.explain.rule import BOOT, Rule

KUBERNETES: Final = (
    Rule(
        (r"^cgroup v1 is deprecated", r"wait-control-plane|kubelet.*(?:not running|healthz)"),
        Explanation(
            code="cgroup_v1",
            title="The control plane did not come up on this host",
            cause="the API server never came up. Most likely because this host has cgroup v1: the "
            "kubelet of Kubernetes 1.35 and later refuses to start on it",
            fix="use a host with cgroup v2, or a node image of Kubernetes 1.34 or older",
        ),
    ),
    Rule(
        (r"failed to lock config file|kubeconfig\S*\.lock: file exists",),
        Explanation(
            code="kubeconfig_locked",
            title="The kubeconfig is locked",
            cause="another kind process, or one that was killed, holds the lock of the kubeconfig",
            fix="create again: each try has a kubeconfig of its own",
        ),
        where="log",
    ),
    Rule(
        (r"(?i)unable to decode config|invalid configuration: |yaml: unmarshal errors",),
        Explanation(
            code="kind_config",
            title="kind does not understand its configuration",
            cause="the installed kind does not know a field or value that the server wrote",
            fix="update kind to v0.33.0 or later; see `pyk8s doctor`",
        ),
        where="log",
    ),
    Rule(
        (r"^panic: |runtime error: (?:invalid memory|index out of range)",),
        Explanation(
            code="kind_crashed",
            title="kind crashed",
            cause="the program kind ended with a defect of its own",
            fix="create again; if it stays so, update kind and report it to its authors",
        ),
        where="log",
    ),
    Rule(
        (
            r"(?i)failed to load kubelet config file(?!.*no such file)"  # kind starts it before
            r"|kubelet.*unknown flag|invalid kubelet config",
        ),
        Explanation(
            code="kubelet_config",
            title="The kubelet does not understand its configuration",
            cause="the node image holds a kubelet of another version than kubeadm, or a patch is "
            "wrong",
            fix="use an unchanged kindest/node image that fits the installed kind",
        ),
    ),
    Rule(
        (
            r"(?i)containerd\.sock\S*: connect: |unknown service runtime\.v1"
            r"|validate service connection: |containerd\.service: Failed with result",
        ),
        Explanation(
            code="containerd_down",
            title="containerd does not run in the node",
            cause="the kubelet found no container runtime: containerd did not start or crashed",
            fix="see containerd's log in the evidence; use an unchanged kindest/node image",
        ),
    ),
    Rule(
        (r"\[ERROR [\w-]+\]: |error execution phase preflight",),
        Explanation(
            code="kubeadm_preflight",
            title="kubeadm's own checks failed",
            cause="kubeadm found the node unfit; the quoted line names the check",
            fix="mend what it names; with an unchanged node image it is mostly the kernel or its "
            "modules",
        ),
        where="log",
    ),
    Rule(
        (r"etcdserver: (?:request timed out|leader changed)|slow fdatasync|wal: sync duration",),
        Explanation(
            code="etcd_slow",
            title="The disk is too slow for etcd",
            cause="etcd waited for the disk so long that Kubernetes gave up",
            fix="use an SSD for Docker's data, build fewer clusters at once (PYK8S_MAX_CREATES)",
        ),
    ),
    Rule(
        (r"the server is currently unable to handle the request",),
        Explanation(
            code="api_busy",
            title="The API server was too busy to answer",
            cause="a request of kind came before the API server had all its parts",
            fix="create again; if it stays so, the host is overloaded",
        ),
        where="log",
    ),
    Rule(
        (r"(?i)connection to the server \S+ was refused|dial tcp \S+:6443: connect: ",),
        Explanation(
            code="api_lost",
            title="The API server went away",
            cause="the control plane had come up, and then no longer answered on its port",
            fix="see the API server's log in the evidence; the host may lack memory or CPU",
        ),
        steps=frozenset({Step.NETWORK, Step.STORAGE, Step.WORKERS, Step.NODE_READY}),
        where="log",
    ),
    Rule(
        (r"failed to apply overlay network|cni plugin not initialized.*failed",),
        Explanation(
            code="network_plugin",
            title="The network plugin could not be installed",
            cause="the API server refused or lost what kind gave it for the cluster's network",
            fix="create again; with a changed node image see its /kind/manifests",
        ),
        steps=frozenset({Step.NETWORK}),
        where="log",
    ),
    Rule(
        (r"failed to add default storage class",),
        Explanation(
            code="storage_class",
            title="The storage class could not be installed",
            cause="the API server refused or lost what kind gave it for volumes",
            fix="create again; if it stays so, see whether the host is overloaded",
        ),
        where="log",
    ),
    Rule(
        (r"failed to join node with kubeadm",),
        Explanation(
            code="worker_not_joined",
            title="A worker did not join the cluster",
            cause="kubeadm on a worker could not reach the control plane, or its kubelet did not "
            "start",
            fix="try it with fewer workers; the kubelet's log of the worker is in the evidence",
        ),
        where="log",
    ),
    Rule(
        (
            r"(?i)kubelet is not healthy after|kubelet isn't running or healthy"
            r"|:10248/healthz.*(?:refused|fail)",
        ),
        Explanation(
            code="kubelet_down",
            title="The kubelet did not start",
            cause="kubeadm waited for the kubelet of the node, which ended or never began",
            fix="the kubelet's last lines are in the evidence (pyk8s evidence NAME); often it is "
            "cgroups, swap or memory",
        ),
        where="log",
    ),
    Rule(
        (r"Timed out waiting for Ready|timed out waiting for the condition",),
        Explanation(
            code="node_not_ready",
            title="The node did not become Ready in time",
            cause="Kubernetes runs, but the node's network or kubelet was not ready within 2 "
            "minutes",
            fix="see whether the host has CPU to spare, then create again; the network plugin's "
            "log is in the evidence",
        ),
        where="log",
    ),
    Rule(
        (r"container \S+ is not running|cannot exec in a stopped (?:state|container)",),
        Explanation(
            code="node_stopped",
            title="A node stopped by itself",
            cause="the node's container ended while kind was at work in it",
            fix="see the node's own log in the evidence; often the host was out of memory, or "
            "Docker was restarted",
        ),
    ),
    Rule(
        (r"could not find a log line that matches",),
        Explanation(
            code="node_not_booted",
            title="The node did not boot",
            cause="systemd in the node's container did not come up in the 30 s that kind waits",
            fix="the node's own log in the evidence tells how far it came; often the image is for "
            "another version of kind, or inotify limits are low",
        ),
        steps=BOOT,
        where="log",
    ),
    Rule(
        (r"failed to init node with kubeadm",),
        Explanation(
            code="control_plane_down",
            title="The control plane did not come up",
            cause="kubeadm waited for the API server in vain",
            fix="see whether the host has memory and CPU to spare, then create again",
        ),
        where="log",
    ),
)
