"""Runs kind, and a script in the node as soon as there is one.

Started as `python -I -S kind_tuned.py NODE FILE kind create cluster ...`, with the standard
library only, in the place of kind: its output is kind's, and so is its exit status. What the script
writes is there before kubeadm and the kubelet look for it, seconds later.
"""

import subprocess
import sys
import threading
from pathlib import Path

POLL_SECONDS = 0.1


def put(node: str, script: bytes, is_over: threading.Event) -> None:
    """Run the script in the node; again and again until it has gone well."""
    while not is_over.wait(POLL_SECONDS):
        argv = ["docker", "exec", "--interactive", node, "sh", "-s"]
        done = subprocess.run(argv, input=script, capture_output=True, check=False)
        if done.returncode == 0:
            return


def main() -> int:
    """Run kind to its end."""
    node, file, *command = sys.argv[1:]
    script = Path(file).read_bytes()
    kind = subprocess.Popen(command)
    is_over = threading.Event()
    threading.Thread(target=put, args=(node, script, is_over), daemon=True).start()
    status = kind.wait()
    is_over.set()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
