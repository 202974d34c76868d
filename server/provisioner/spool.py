"""The reader's side of the spool: records, and the hint that there are new ones."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

from server.drivers.log_lines import may_hold_secret

READ_BYTES: Final = 256 * 1024
POLL_SECONDS: Final = 0.25
"""How often to look when nobody hints."""
POLL_WITHOUT_HINTS_SECONDS: Final = 0.01


class Record(NamedTuple):
    """A line of the spool; `runner` says what the kinds mean."""

    kind: str
    at_ns: int
    raw: bytes
    end: int
    """Where in the spool the next record begins."""
    innocent: bool
    """Nothing read together with it looks like a secret."""


class Spool:
    """The spool of one attempt. Use as a context manager."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "spool"
        self._wake_path = directory / "wake"
        self._fd = -1
        self._wake_fd = -1
        self._woken = asyncio.Event()

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            # Read and write: without a writer of its own a FIFO reports its end again and again.
            self._wake_fd = os.open(self._wake_path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            asyncio.get_running_loop().add_reader(self._wake_fd, self._on_wake)
        return self

    def __exit__(self, *_: object) -> None:
        if self._wake_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._wake_fd)
            os.close(self._wake_fd)
        if self._fd >= 0:
            os.close(self._fd)

    def _on_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_fd, 64 * 1024)
        self._woken.set()

    async def wait(self, timeout_seconds: float = POLL_SECONDS) -> None:
        """Return when there may be something new, at the latest after so many seconds."""
        if self._wake_fd < 0:
            await asyncio.sleep(min(timeout_seconds, POLL_WITHOUT_HINTS_SECONDS))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._woken.wait()
        self._woken.clear()

    def read(self, offset: int) -> bytes:
        """Give whole records from `offset` on, at most `READ_BYTES`. A torn one is left out."""
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
        data = os.pread(self._fd, READ_BYTES, offset)
        return data[: data.rfind(b"\n") + 1]


def records_of(data: bytes, offset: int) -> Iterator[Record]:
    """Read records that begin at `offset` of the spool. What is none is passed over."""
    stamp, at_ns = b"?", 0
    innocent = not may_hold_secret(data)
    for line in data.split(b"\n")[:-1]:
        offset += len(line) + 1
        head, _, raw = line.partition(b" ")
        if head[1:] != stamp:  # neighbours mostly have the same
            if not head[1:].isdigit():
                continue
            stamp = head[1:]
            at_ns = int(stamp)
        yield Record(chr(head[0]), at_ns, raw, offset, innocent)
