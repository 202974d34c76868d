"""Runs kind, and puts a network configuration into the node as soon as there is one.

Started as `python -I -S kind_tuned.py NODE FILE kind create cluster ...`, with the standard
library only, in the place of kind: its output is kind's, and so is its exit status. containerd
finds the configuration before the kubelet asks for it, so that the node is Ready at once, where it
would else wait for a plugin that is installed last.

FILE has the word MTU where the one of the node's interface belongs.
"""

import subprocess
import sys
import threading
from pathlib import Path

POLL_SECONDS = 0.1
PLACE = "/etc/cni/net.d/10-pyk8s.conflist"
WRITE = (
    "mkdir -p /etc/cni/net.d && "
    f'sed "s/MTU/$(cat /sys/class/net/eth0/mtu)/" > {PLACE}.new && mv {PLACE}.new {PLACE}'
)


def put(node: str, config: bytes, is_over: threading.Event) -> None:
    """Write the configuration into the node; again and again until it is there."""
    while not is_over.wait(POLL_SECONDS):
        argv = ["docker", "exec", "--interactive", node, "sh", "-c", WRITE]
        done = subprocess.run(argv, input=config, capture_output=True, check=False)
        if done.returncode == 0:
            return


def main() -> int:
    """Run kind to its end."""
    node, file, *command = sys.argv[1:]
    config = Path(file).read_bytes()
    kind = subprocess.Popen(command)
    is_over = threading.Event()
    threading.Thread(target=put, args=(node, config, is_over), daemon=True).start()
    status = kind.wait()
    is_over.set()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
