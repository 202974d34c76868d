"""What Docker says when it cannot or may not do what kind asks."""

from typing import Final

from server.drivers.base import Explanation
from server.drivers.explain.rule import Rule

DOCKER: Final = (
    Rule(
        (r"(?i)permission denied while trying to connect to the docker",),
        Explanation(
            code="docker_permission",
            title="The server may not use Docker",
            cause="Docker's socket refused the server's user",
            fix="add the user to the group `docker` and start the server anew; in a container, "
            "build it with DOCKER_GID=$(getent group docker | cut -d: -f3)",
        ),
    ),
    Rule(
        (
            r"error during connect:.*EOF|unexpected EOF$|transport is closing"
            r"|dockerd? .*shutdown in progress|connection reset by peer.*docker\.sock",
        ),
        Explanation(
            code="docker_restarted",
            title="Docker went away in the middle",
            cause="the connection to Docker broke: it was restarted, or it crashed",
            fix="create again; if it stays so, see journalctl -u docker",
        ),
        where="log",
    ),
    Rule(
        (r"(?i)cannot connect to the docker daemon|error during connect:",),
        Explanation(
            code="docker_unreachable",
            title="Docker does not answer",
            cause="kind could not reach the Docker engine",
            fix="start Docker (systemctl start docker) and see that `docker info` works",
        ),
    ),
    Rule(
        (r"client version [\d.]+ is too (?:new|old)",),
        Explanation(
            code="docker_version",
            title="Docker's client and engine do not fit",
            cause="the program `docker` speaks a version that the engine does not know",
            fix="update the older of the two, or set DOCKER_API_VERSION to what the engine knows",
        ),
    ),
    Rule(
        (r"unable to apply caps: operation not permitted|can't apply capabilities",),
        Explanation(
            code="docker_capabilities",
            title="Docker may not start privileged containers",
            cause="the host lacks a capability that Docker gives to privileged containers",
            fix="use a newer Docker, which leaves out what the host does not have, or a host with "
            "all capabilities",
        ),
    ),
    Rule(
        (r"privileged mode is incompatible with user namespaces",),
        Explanation(
            code="userns_remap",
            title="Docker maps users, so nodes cannot be privileged",
            cause="Docker runs with userns-remap, and a kind node needs --privileged",
            fix="turn userns-remap off in /etc/docker/daemon.json, or use another Docker",
        ),
    ),
    Rule(
        (r"(?i)rootless provider requires|requires setting systemd property \"Delegate",),
        Explanation(
            code="rootless",
            title="Rootless Docker is not set up for kind",
            cause="without root, kind needs cgroup v2 and the delegation of all controllers",
            fix="follow https://kind.sigs.k8s.io/docs/user/rootless, or use a Docker with root",
        ),
    ),
    Rule(
        (r"(?i)apparmor.*(?:could not be loaded|failed|denied)|selinux.*(?:denied|not supported)",),
        Explanation(
            code="security_module",
            title="AppArmor or SELinux is in the way",
            cause="the host's security module refused what Docker does for a node",
            fix="see dmesg for what was denied; reload the profile (systemctl restart apparmor) "
            "or restart Docker",
        ),
        where="log",
    ),
    Rule(
        (
            r"node\(s\) already exist for a cluster with the name"
            r"|container name .* is already in use",
        ),
        Explanation(
            code="name_exists",
            title="There are nodes of this name already",
            cause="something else on the host made a cluster of the same name",
            fix="create the cluster again: each try has a name of its own",
        ),
    ),
    Rule(
        (r"(?i)ports are not available|access a socket in a way forbidden",),
        Explanation(
            code="port_reserved",
            title="The system keeps the port for itself",
            cause="Docker Desktop may not publish the port: Windows or macOS reserves it",
            fix="create again: another port is chosen; on Windows restart the service winnat",
        ),
    ),
    Rule(
        (r"port is already allocated|address already in use|failed to bind host port",),
        Explanation(
            code="port_taken",
            title="A port of the host is taken",
            cause="Docker could not publish the port of the API server",
            fix="create again: another free port is chosen; if it stays so, see what listens "
            "on the host (ss -ltnp)",
        ),
        where="log",
    ),
    Rule(
        (r"(?i)Error response from daemon: .*read-only file system",),
        Explanation(
            code="docker_read_only",
            title="Docker's disk cannot be written",
            cause="the file system of Docker is read-only: mounted so, or after an error",
            fix="see dmesg for why, mount it writable again, then restart Docker",
        ),
        where="log",
    ),
)
