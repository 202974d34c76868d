"""What goes wrong with addresses, bridges and filters."""

from typing import Final

from server.drivers.base import Explanation
from server.drivers.explain.rule import Rule

NETWORK: Final = (
    Rule(
        (
            r"(?i)Cannot read IPv6 setup for bridge|ip6tables.*(?:does not exist|can't initialize)"
            r"|IPv6.*(?:is disabled|not (?:enabled|supported))"
            r"|disable_ipv6: no such file|could not find.*IPv6 address pool",
        ),
        Explanation(
            code="ipv6_off",
            title="The host has no IPv6",
            cause="Docker tried to set up IPv6 for the cluster, and the kernel has it off",
            fix="turn it on (sysctl net.ipv6.conf.all.disable_ipv6=0, no ipv6.disable=1 at boot), "
            'or set "ip6tables": false in /etc/docker/daemon.json',
        ),
        where="log",
    ),
    Rule(
        (r"Pool overlaps with other one on this address space|could not find an available.*pool",),
        Explanation(
            code="no_network",
            title="There is no free network for the cluster",
            cause="Docker has no address range left for another network",
            fix="remove unused networks (docker network prune), or set PYK8S_NETWORK_POOL",
        ),
    ),
    Rule(
        (r"no available IPv4 addresses on this network's address pools",),
        Explanation(
            code="subnet_full",
            title="The cluster's network has no address left",
            cause="the network of this cluster is too small for its nodes",
            fix="create it with fewer workers",
        ),
    ),
    Rule(
        (r"network \S+ is ambiguous|network with name \S+ already exists",),
        Explanation(
            code="network_twice",
            title="Two networks have the same name",
            cause="Docker found more than one network of the cluster's name",
            fix="remove the unused one (docker network ls, docker network rm ID), create again",
        ),
    ),
    Rule(
        (r"Error response from daemon: network \S+ not found",),
        Explanation(
            code="network_gone",
            title="The cluster's network is gone",
            cause="somebody removed the network while the cluster was being built, for instance "
            "with docker network prune",
            fix="create again, and keep cleaning jobs away from names that begin with pyk8s-",
        ),
    ),
    Rule(
        (
            r"(?i)No chain/target/match by that name|failed to setup ip tables"
            r"|failed to program FILTER chain|unable to enable .*iptables failed",
        ),
        Explanation(
            code="docker_iptables",
            title="Docker's filter rules are gone",
            cause="something (firewalld, a flush of iptables) removed the chains that Docker made",
            fix="restart Docker, which makes them anew; afterwards the firewall must leave them",
        ),
        where="log",
    ),
    Rule(
        (
            r"(?i)can't initialize iptables table|iptables.*Table does not exist"
            r"|modprobe: FATAL: Module (?:ip_tables|br_netfilter|nf_tables)",
        ),
        Explanation(
            code="iptables_missing",
            title="The kernel lacks iptables",
            cause="a module for packet filters is not there, mostly after a kernel update without "
            "a restart",
            fix="restart the host; in a small kernel build ip_tables, nf_tables and nf_nat in",
        ),
    ),
    Rule(
        (r"(?i)pair interfaces: operation not supported|failed to add .*bridge.*not supported",),
        Explanation(
            code="kernel_networking",
            title="The kernel lacks virtual networks",
            cause="veth or bridge is not in the running kernel, mostly after a kernel update "
            "without a restart",
            fix="restart the host, or load the modules: modprobe veth bridge",
        ),
    ),
    Rule(
        (
            r"(?i)WARNING HTTPProxy(?:CIDR)?\]|uses proxy \"http",
            r"failed to (?:init|join) node with kubeadm|wait-control-plane|Timed out waiting",
        ),
        Explanation(
            code="proxy_inside",
            title="A proxy stands between the cluster's own parts",
            cause="the node uses the host's proxy for addresses of the cluster itself",
            fix="add the cluster's ranges to NO_PROXY of Docker and of the server: "
            "10.0.0.0/8,172.16.0.0/12,.svc,.cluster.local",
        ),
    ),
)
