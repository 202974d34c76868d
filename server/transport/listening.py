"""Listening sockets; what is accepted on them inherits their limits."""

import resource
import socket

from server.errors import StartFailed

BACKLOG = 2048
SEND_BUFFER_BYTES = 64 * 1024
"""Without it the kernel swallows 2.8 MB for each reader that stalls, before anybody notices."""

UNACKNOWLEDGED_MS = 15_000
"""A peer that acknowledges nothing for so long is dropped; WebSocket pings alone never drop it."""

SILENT_SECONDS = 60
PROBE_SECONDS = 10
PROBES = 3
"""A peer that is asked nothing is probed: a reader of a log that has nothing new gets nothing, and
a machine that was switched off tells nobody."""

IDLE_SECONDS = 75
"""A connection without requests is kept longer than clients (httpx: 5 s) and proxies (often 60 s)
keep it: else a request may be on its way into one that is just being closed, and is lost."""

TCP_OPTIONS = {
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,
    "TCP_KEEPIDLE": SILENT_SECONDS,
    "TCP_KEEPINTVL": PROBE_SECONDS,
    "TCP_KEEPCNT": PROBES,
}

OPEN_FILES = 65_536
"""A socket is a file. Far more than a server has use for is no good to the programs that it starts,
some of which look at each possible number."""


def allow_open_files() -> None:
    """Let this process, and what it starts, have as many files open as it may, within reason.

    Most systems begin with 1,024, which a thousand people who watch would use up.
    """
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def most_connections() -> int:
    """Return how many connections one port may have: each of three a quarter of all open files."""
    now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (OPEN_FILES if now == resource.RLIM_INFINITY else min(now, OPEN_FILES)) // 4


def open_listener(host: str, port: int, *, fix: str) -> socket.socket:
    """Open a listening socket. `fix`: how to choose another port.

    Raises:
        StartFailed: the address is taken or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_OPTIONS.items():
        option = getattr(socket, name, None)  # not every system has them all
        if option is not None:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartFailed(
            f"cannot listen on {host}:{port}: {error.strerror}",
            fix=f"stop the program that uses the port, or {fix}",
        ) from error
    return listener
