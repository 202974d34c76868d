r"""Runs one command and writes down what it says, whatever becomes of the server.

Started as `python -I -S runner.py DIRECTORY` in a session of its own, with the standard library
only. File descriptor 3 is the locked file `lock` of the directory: as long as this process lives,
the lock is held. `command.json` says what to run; the command gets a process group of its own, so
that it can be ended while this process goes on to note how. From here only that is ended which
the command leaves in its group when it is over.

The spool is append-only. A record is one line:

    <kind><nanoseconds since 1970> <payload>\n

    o, e   a line of standard output or error, without its line feed
    O, E   a part of a line of PIECE bytes; the next record of the same stream continues it
    d      so many bytes were not kept: the spool had reached its cap
    x      the end: `exit 0`, `signal 9`, or `failed <reason>` if the command could not start

A torn last line (the machine died) has no line feed and is no record.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time

PIECE = 16 * 1024
READ = 64 * 1024
AFTER_EXIT_SECONDS = 2.0
"""So long a grandchild may hold the pipe after the command has ended."""
MARK = b" \xe2"
"""How kind's lines of progress begin: few, and wanted even beyond the cap."""
MARKS_BYTES = 1024 * 1024
MARK_BYTES = 512


class Spool:
    """The append-only file, and the hint to whoever reads it."""

    def __init__(self, directory: str, cap: int) -> None:
        path = os.path.join(directory, "spool")  # noqa: PTH118  pathlib is slow to import
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._wake_path = os.path.join(directory, "wake")  # noqa: PTH118
        self._wake = -1
        self._room = cap
        self._marks_room = MARKS_BYTES
        self._dropped = 0

    def add(self, records: bytes, prefix: bytes) -> None:
        """Append whole records, or beyond the cap only those that show progress."""
        fits = len(records)
        if fits > self._room:
            fits = records.rfind(b"\n", 0, self._room) + 1
            rest = records[fits:]
            marks = self._marks_of(rest, len(prefix))
            self._dropped += len(rest) - len(marks)
            self._room = 0
            records = records[:fits] + marks
        else:
            self._room -= fits
        self.write(records)

    def _marks_of(self, records: bytes, start: int) -> bytes:
        kept = []
        for record in records.splitlines(keepends=True):
            is_mark = record.startswith(MARK, start) and len(record) <= MARK_BYTES
            if is_mark and len(record) <= self._marks_room:
                self._marks_room -= len(record)
                kept.append(record)
        return b"".join(kept)

    def end(self, how: str) -> None:
        """Append the last record."""
        now = time.time_ns()
        if self._dropped:
            self.write(b"d%d %d\n" % (now, self._dropped))
        self.write(b"x%d %s\n" % (now, how.replace("\n", " ").encode()))

    def write(self, data: bytes) -> None:
        """Append bytes. A full disk must not stop the command: what does not fit is lost."""
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._fd, data) :]
        self._poke()

    def _poke(self) -> None:
        """Wake the reader, if there is one. A full pipe wakes it just as well."""
        try:
            if self._wake < 0:
                self._wake = os.open(self._wake_path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.write(self._wake, b".")
        except BlockingIOError:
            pass
        except OSError:  # nobody reads now, or the reader went away
            if self._wake >= 0:
                os.close(self._wake)
                self._wake = -1


class Stream:
    """One of the command's two streams."""

    def __init__(self, name: bytes) -> None:
        self._line = name
        self._part = name.upper()
        self._pending = b""

    def feed(self, chunk: bytes, spool: Spool) -> None:
        """Spool what is complete: whole lines, and parts of lines that are too long."""
        now = b"%d " % time.time_ns()
        prefix = self._line + now
        head, feed, tail = (self._pending + chunk).rpartition(b"\n")
        records = b""
        if feed:
            if len(head) > PIECE and max(map(len, head.split(b"\n"))) > PIECE:
                records = b"".join(self._cut(line, now) for line in head.split(b"\n"))
            else:
                records = prefix + head.replace(b"\n", b"\n" + prefix) + b"\n"
        while len(tail) > PIECE:
            records += self._part + now + tail[:PIECE] + b"\n"
            tail = tail[PIECE:]
        self._pending = tail
        if records:
            spool.add(records, prefix)

    def end(self, spool: Spool) -> None:
        """Spool a last line that has no line feed."""
        if self._pending:
            self.feed(b"\n", spool)

    def _cut(self, line: bytes, now: bytes) -> bytes:
        parts = b""
        while len(line) > PIECE:
            parts += self._part + now + line[:PIECE] + b"\n"
            line = line[PIECE:]
        return parts + self._line + now + line + b"\n"


def drain(process: "subprocess.Popen[bytes]", spool: Spool, exited: socket.socket) -> None:
    """Read both pipes to their end, or until a while after the command has ended."""
    assert process.stdout is not None
    assert process.stderr is not None
    streams = {process.stdout: Stream(b"o"), process.stderr: Stream(b"e")}
    deadline = None
    with selectors.DefaultSelector() as selector:
        for pipe, stream in streams.items():
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, stream)
        selector.register(exited, selectors.EVENT_READ)
        while len(selector.get_map()) > 1:
            timeout = None if deadline is None else deadline - time.monotonic()
            if timeout is not None and timeout <= 0:
                break
            for key, _ in selector.select(timeout):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        exited.recv(READ)
                    if deadline is None and has_ended(process):
                        deadline = time.monotonic() + AFTER_EXIT_SECONDS
                    continue
                try:
                    chunk = os.read(key.fd, READ)
                except BlockingIOError:
                    continue
                if chunk:
                    key.data.feed(chunk, spool)
                else:
                    selector.unregister(key.fileobj)
    for stream in streams.values():
        stream.end(spool)


def has_ended(process: "subprocess.Popen[bytes]") -> bool:
    """Tell whether the command is over, and leave it a zombie: its ids stay its own."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    how = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, how) is not None


def end_leftovers(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of the command, and end what it left in its group, pipes in hand."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def introduce(directory: str, child: int) -> None:
    """Write down who runs what, for whoever wants to end it."""
    path = os.path.join(directory, "runner.json")  # noqa: PTH118
    with open(path + ".new", "w") as file:  # noqa: PTH123
        json.dump({"pid": os.getpid(), "child": child, "started_ns": time.time_ns()}, file)
    os.replace(path + ".new", path)  # noqa: PTH105


def main(directory: str) -> None:
    """Run the command of a directory."""
    ready, exited = socket.socketpair()
    ready.setblocking(False)
    exited.setblocking(False)
    signal.set_wakeup_fd(ready.fileno(), warn_on_full_buffer=False)
    # A handler, not SIG_IGN: the command must not inherit deafness.
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    with open(os.path.join(directory, "command.json")) as file:  # noqa: PTH118, PTH123
        command = json.load(file)
    spool = Spool(directory, command["cap"])
    try:
        process = subprocess.Popen(
            command["argv"],
            env=command["env"],
            cwd=command["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            process_group=0,
        )
    except OSError as error:
        spool.end(f"failed {error.strerror}: {command['argv'][0]}")
        return
    introduce(directory, process.pid)
    drain(process, spool, exited)
    end_leftovers(process)
    code = process.wait()
    spool.end(f"exit {code}" if code >= 0 else f"signal {-code}")


if __name__ == "__main__":
    main(sys.argv[1])
