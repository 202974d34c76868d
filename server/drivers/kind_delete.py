"""Runs `kind delete`, for a while only, and never twice at a time for one cluster.

A server that dies in the middle leaves its `kind delete` running, maybe for ever. The next one
finds the lock taken, and ends what holds it.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import anyio.to_thread

SECONDS: Final = 20.0
"""Mostly it takes two. What it leaves is swept by label, so more patience gains nothing."""
END_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.02


async def kind_delete(
    kind: Path, name: str, directory: Path, env: Mapping[str, str], *, seconds: float = SECONDS
) -> None:
    """Let kind delete what it can. What it leaves, or cannot do, is for others to remove."""
    await anyio.to_thread.run_sync(lambda: directory.mkdir(mode=0o700, parents=True, exist_ok=True))
    async with _alone(directory / "deleting") as lock:
        process = await asyncio.create_subprocess_exec(
            str(kind), "delete", "cluster",
            "--name", name,
            "--kubeconfig", str(directory / "kubeconfig"),
            env=env,
            cwd=directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[lock],
        )  # fmt: skip
        try:
            os.pwrite(lock, f"{process.pid:20}".encode(), 0)
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            _end(process.pid)  # what it started too: nothing of it may go on
            await process.wait()


@contextlib.asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[int]:
    """Hold the lock that lives as long as any process of a `kind delete`; end an older one."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                while not _take(lock):
                    with contextlib.suppress(ValueError):  # it has not been noted yet
                        _end(int(os.pread(lock, 20, 0)))
                    await asyncio.sleep(_POLL_SECONDS)
        os.ftruncate(lock, 0)  # what an older one noted is no longer true
        yield lock
    finally:
        os.close(lock)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
