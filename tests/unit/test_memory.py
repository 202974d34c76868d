"""What is freed goes back to the system."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from server.app.memory import give_back_free_memory
if sys.argv[1] == "as the server":
    assert give_back_free_memory()

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before = resident()
large, small = [], []
for number in range(400):
    large.append(b"x" * 200_000)
    if number % 10 == 0:
        large.clear()
        large.append(b"x" * 200_000)
for number in range(400):
    large.append(b"x" * 200_000)
    small.append(b"y" * 5_000)
large.clear()
print((resident() - before) // 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is on Linux only")
def test_large_buffers_that_are_freed_go_back_to_the_system() -> None:
    grown_mib = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, how],
                capture_output=True, text=True, timeout=60, check=True,
            ).stdout
        )
        for how in ("as the server", "as it comes")
    }  # fmt: skip
    assert grown_mib["as the server"] < 20, grown_mib
    assert grown_mib["as the server"] < grown_mib["as it comes"] / 2, grown_mib
