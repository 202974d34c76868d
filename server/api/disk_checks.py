"""What the server's own disk allows: its data directory can be written, PostgreSQL has room."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from pyk8s.wire.service import Check

PROBE_NAME: Final = ".writable"
LEAST_FREE_BYTES: Final = 256 * 1024**2
"""PostgreSQL makes files of 16 MiB for its log, and cannot commit without room for one."""
LOOK_SECONDS: Final = 2.0
MIB: Final = 1024**2


async def disk_checks(data_dir: Path, database_dir: Path | None) -> Sequence[Check]:
    """Look at the disk, not for long: one that hangs is not well either.

    `database_dir`: the folder of the embedded PostgreSQL, where there is one.
    """
    with anyio.move_on_after(LOOK_SECONDS):
        return await anyio.to_thread.run_sync(_look, data_dir, database_dir, abandon_on_cancel=True)
    return [
        Check(
            name="data_dir",
            ok=False,
            detail=f"{data_dir} does not answer within {LOOK_SECONDS:.0f} s",
            fix="see what is wrong with that disk: dmesg",
        )
    ]


def _look(data_dir: Path, database_dir: Path | None) -> Sequence[Check]:
    checks = [_can_write(data_dir)]
    if database_dir is not None:
        checks.append(_has_room(database_dir))
    return checks


def _can_write(data_dir: Path) -> Check:
    probe = data_dir / PROBE_NAME
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        return Check(
            name="data_dir",
            ok=False,
            detail=f"{data_dir} cannot be written: {error.strerror}",
            fix="free space on that disk, or mount it writable; creates fail until then",
        )
    return Check(name="data_dir", ok=True, detail=f"{data_dir} can be written")


def _has_room(database_dir: Path) -> Check:
    try:
        free = shutil.disk_usage(database_dir).free
    except OSError as error:
        return room_check(None, error.strerror)
    return room_check(free)


def room_check(free_bytes: int | None, problem: str | None = None) -> Check:
    """Judge the room that PostgreSQL has. Pure."""
    ok = free_bytes is not None and free_bytes >= LEAST_FREE_BYTES
    told = f"{free_bytes // MIB} MiB are free" if free_bytes is not None else f"unknown: {problem}"
    return Check(
        name="postgresql_disk",
        ok=ok,
        detail=f"on the disk of the embedded PostgreSQL {told}",
        fix=None
        if ok
        else "free space on the disk of the data directory: without it nothing can be written",
    )
