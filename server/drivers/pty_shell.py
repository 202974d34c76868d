"""A program of this machine behind a pseudo-terminal."""

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import termios
from collections.abc import Mapping, Sequence
from typing import Final

import anyio

READ_BYTES: Final = 64 * 1024
GRACE_SECONDS: Final = 1.0
"""Between hanging up and killing."""


class PtyShell:
    """A running program. It is the leader of a session of its own."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        """`terminal`: the side of the terminal that is ours; it is closed with the shell."""
        self._process = process
        self._terminal = terminal
        self._is_closed = False

    async def read(self) -> bytes:
        """Wait for output and give it; b"" at the end."""
        while not self._is_closed:
            try:
                return os.read(self._terminal, READ_BYTES)
            except BlockingIOError:
                with contextlib.suppress(anyio.ClosedResourceError):
                    await anyio.wait_readable(self._terminal)
            except OSError as error:
                if error.errno != errno.EIO:  # which says that nobody has the other side any more
                    raise
                break
        return b""

    async def write(self, data: bytes) -> None:
        """Type. Waits while the program does not take it."""
        left = memoryview(data)
        while left and not self._is_closed:
            try:
                left = left[os.write(self._terminal, left) :]
            except BlockingIOError:
                with contextlib.suppress(anyio.ClosedResourceError):
                    await anyio.wait_writable(self._terminal)
            except OSError:
                return

    async def resize(self, rows: int, cols: int) -> None:
        """Tell the size of the window."""
        if not self._is_closed:
            with contextlib.suppress(OSError):
                set_size(self._terminal, rows, cols)

    async def exit_code(self) -> int | None:
        """Give how it ended; as shells do, 128 and the signal's number when one ended it."""
        with anyio.move_on_after(GRACE_SECONDS):
            code = await self._process.wait()
            return code if code >= 0 else 128 - code
        return None

    async def close(self) -> None:
        """Close the terminal, which hangs up; kill what stays."""
        if self._is_closed:
            return
        self._is_closed = True
        anyio.notify_closing(self._terminal)
        os.close(self._terminal)
        with anyio.move_on_after(GRACE_SECONDS):
            await self._process.wait()
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


def set_size(terminal: int, rows: int, cols: int) -> None:
    """Set the size of a terminal's window, in characters."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


async def start(argv: Sequence[str], env: Mapping[str, str], *, rows: int, cols: int) -> PtyShell:
    """Start a program on a new terminal. It has to take it as its controlling terminal itself.

    Raises:
        OSError: it cannot be started.
    """
    ours, theirs = os.openpty()
    try:
        set_size(ours, rows, cols)
        os.set_blocking(ours, False)
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=dict(env),
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return PtyShell(process, ours)
