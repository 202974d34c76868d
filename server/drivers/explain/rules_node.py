"""What keeps a node's container from booting: the host's kernel, its limits, its cgroups."""

from typing import Final

from server.drivers.base import Explanation
from server.drivers.explain.rule import BOOT, Rule

NODE: Final = (
    Rule(
        (
            r"(?i)inotify\w*\b.*(?:too many open files|no space left)"
            r"|(?i:too many open files)|max_user_(?:instances|watches)",
        ),
        Explanation(
            code="inotify_limit",
            title="The host's limit of watched files is reached",
            cause="the kernel refused another inotify instance or watch, or another open file",
            fix="raise it: sysctl fs.inotify.max_user_instances=512 "
            "fs.inotify.max_user_watches=524288; keep it in /etc/sysctl.d",
        ),
    ),
    Rule(
        (r"kubelet is configured to not run on a host using cgroup v1",),
        Explanation(
            code="kubelet_refuses_cgroup_v1",
            title="The kubelet does not run on cgroup v1",
            cause="the host has cgroup v1, and the kubelet of Kubernetes 1.35 and later ends on it",
            fix="boot the host with systemd.unified_cgroup_hierarchy=1, or use a node image of "
            "Kubernetes 1.34 or older",
        ),
    ),
    Rule(
        (
            r"(?i)oom-kill|out of memory: kill|\"OOMKilled\": ?true|cannot allocate memory"
            r"|failed with error: exit status 137|failed with error: signal: killed",
        ),
        Explanation(
            code="out_of_memory",
            title="The host ran out of memory",
            cause="the kernel ended a process of the cluster because memory was short",
            fix="delete clusters that are not needed, or give the host (or Docker Desktop) more "
            "memory: a node takes about 600 MiB before anything runs in it",
        ),
    ),
    Rule(
        (r"runc.*oom_score_adj: (?:permission denied|operation not permitted)",),
        Explanation(
            code="oom_score",
            title="The node may not set the order of memory kills",
            cause="the host lacks CAP_SYS_RESOURCE, so containerd cannot lower oom_score_adj",
            fix="use a node image with restrict_oom_score_adj = true in containerd's "
            "configuration, or a host that has the capability",
        ),
    ),
    Rule(
        (r"open /dev/kmsg: ",),
        Explanation(
            code="kmsg_missing",
            title="The kubelet cannot read the kernel's messages",
            cause="/dev/kmsg is missing or closed in the node, mostly because Docker itself runs "
            "in an unprivileged container",
            fix="run Docker on the host, or give its container /dev/kmsg",
        ),
    ),
    Rule(
        (
            r"(?i)mountpoint for \w+ not found|missing (?:required )?cgroups?\b"
            r"|CGROUPS_\w+: missing|cgroup controllers? .*not (?:available|found|enabled)",
        ),
        Explanation(
            code="cgroup_controllers",
            title="The host lacks cgroup controllers",
            cause="a controller that the kubelet needs (cpu, memory, pids) is not mounted",
            fix="enable it: on a Raspberry Pi add cgroup_memory=1 cgroup_enable=memory to the "
            "kernel's command line; in WSL update WSL",
        ),
    ),
    Rule(
        (
            r"failed to initialize top level QOS containers"
            r"|Failed to create /.* control group: |failed to create cgroup",
        ),
        Explanation(
            code="cgroup_closed",
            title="The node cannot make its cgroups",
            cause="the cgroup tree is read-only to the node or was left over by an earlier one",
            fix="restart Docker; when Docker runs in a container, give that one --privileged and "
            "--cgroupns=host",
        ),
    ),
    Rule(
        (r"(?i)running with swap on is not supported",),
        Explanation(
            code="swap_on",
            title="The kubelet refuses a host with swap",
            cause="swap is on, and this node image does not allow it",
            fix="use a newer node image (kind has allowed swap for years), or swapoff -a",
        ),
    ),
    Rule(
        (
            r"(?i)\bfork\b.*resource temporarily unavailable|pthread_create failed"
            r"|fork rejected by pids controller|failed to create new OS thread",
        ),
        Explanation(
            code="process_limit",
            title="The host may start no more processes",
            cause="a limit of processes or threads is reached (pids cgroup, ulimit -u, "
            "kernel.threads-max)",
            fix="delete clusters that are not needed, or raise TasksMax of docker.service",
        ),
    ),
    Rule(
        (r"(?i)no space left on device|disk quota exceeded|attempting to reclaim.*-storage",),
        Explanation(
            code="no_space",
            title="The disk of the host is full",
            cause="a step of kind could not write: no space left on device",
            fix="free space on the host (docker system df shows who uses it, docker system prune "
            "frees what nothing uses), then create again",
        ),
    ),
    Rule(
        (r"EXT4-fs error|blk_update_request: I/O error|: input/output error",),
        Explanation(
            code="disk_broken",
            title="The disk of the host reports errors",
            cause="reading or writing failed in the hardware or its driver",
            fix="see dmesg and smartctl on the host; use another disk for Docker",
        ),
    ),
    Rule(
        (
            r"(?i)upper ?fs does not support|failed to mount overlay|overlayfs.*not supported"
            r"|driver not supported: overlay",
        ),
        Explanation(
            code="storage_driver",
            title="The node cannot stack its file systems",
            cause="overlayfs does not work on the file system that Docker uses",
            fix="put Docker's data on ext4 or xfs (ftype=1), and use the overlay2 driver",
        ),
    ),
    Rule(
        (
            r"unsafe procfs detected|bpf_prog_query\(BPF_CGROUP_DEVICE\) failed"
            r"|runc did not terminate success",
        ),
        Explanation(
            code="runc_broken",
            title="The host's runc cannot start containers",
            cause="runc and the host's kernel do not fit together",
            fix="update Docker, containerd and runc on the host, or its kernel",
        ),
    ),
    Rule(
        (r"nf_conntrack_max: permission denied",),
        Explanation(
            code="conntrack_closed",
            title="kube-proxy may not set the size of the connection table",
            cause="the node may not write net.netfilter.nf_conntrack_max",
            fix="set it on the host: sysctl net.netfilter.nf_conntrack_max=131072 times the "
            "number of CPUs",
        ),
    ),
    Rule(
        (r"(?i)Failed to (?:mount|allocate manager object|start) .*(?:API|object|systemd)",),
        Explanation(
            code="systemd_failed",
            title="systemd did not start in the node",
            cause="the node's first process could not set itself up in its container",
            fix="update Docker and the kernel; see the node's own log in the evidence",
        ),
        steps=BOOT,
    ),
)
