"""Plays the shell in a cluster: says that it is simulated, and knows a few commands.

Started as a program with the standard library only, on a terminal that is real.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import sys
import termios
import time
from typing import Final

HELP: Final = """\
This shell is simulated: there is no cluster behind it. It knows
  echo TEXT      print TEXT
  size           print the rows and columns of the terminal, and again whenever they change
  lines N        print N numbered lines
  raw HEX        print the bytes of HEX
  sleep SECONDS  do nothing
  exit [CODE]    end
  kubectl, k     play kubectl\
"""
PODS: Final = """\
NAMESPACE     NAME                                  READY   STATUS    RESTARTS   AGE
kube-system   coredns-simulated-1                   1/1     Running   0          1m
kube-system   etcd-simulated-control-plane          1/1     Running   0          1m
kube-system   kube-apiserver-simulated              1/1     Running   0          1m\
"""
BATCH: Final = 500


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def size() -> str:
    """Say how large the terminal is."""
    window = os.get_terminal_size(0)
    return f"{window.lines} rows, {window.columns} columns"


def lines(count: int) -> None:
    """Print very many lines; line n is `line n`."""
    for first in range(1, count + 1, BATCH):
        last = min(first + BATCH, count + 1)
        sys.stdout.write("".join(f"line {n}\n" for n in range(first, last)))
        sys.stdout.flush()


def obey(words: list[str], username: str) -> str | None:
    """Do a command; give what it prints."""
    match words:
        case []:
            return None
        case ["help"]:
            return HELP
        case ["echo", *rest]:
            return " ".join(rest)
        case ["size"]:
            # Past the buffer of stdout, in which the signal may find somebody else.
            signal.signal(signal.SIGWINCH, lambda *_: os.write(1, f"{size()}\n".encode()))
            return size()
        case ["lines", count] if count.isdigit():
            lines(int(count))
            return None
        case ["raw", given]:
            with contextlib.suppress(ValueError):
                sys.stdout.buffer.write(bytes.fromhex(given))
                sys.stdout.buffer.flush()
            return None
        case ["sleep", seconds] if seconds.isdigit():
            time.sleep(int(seconds))
            return None
        case ["exit"]:
            raise SystemExit(0)
        case ["exit", code] if code.isdigit():
            raise SystemExit(int(code) & 0xFF)
        case ["kubectl" | "k", "get", "pods", *_]:
            return PODS
        case ["kubectl" | "k", "auth", "whoami"]:
            return f"Username  {username}"
        case _:
            return f"{words[0]}: the simulated shell does not know this. Try: help"


def main() -> None:
    """Take the terminal, then read and obey."""
    parser = argparse.ArgumentParser()
    for name in ("--cluster", "--user", "--where"):
        parser.add_argument(name, required=True)
    arguments = parser.parse_args()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    say(f"Simulated: a script plays the shell in {arguments.where}. Type help.")
    while True:
        try:
            words = input(f"{arguments.cluster} (simulated)$ ").split()
            answer = obey(words, arguments.user)
        except EOFError:
            raise SystemExit(0) from None
        except KeyboardInterrupt:
            answer = ""
        if answer is not None:
            say(answer)


if __name__ == "__main__":
    main()
