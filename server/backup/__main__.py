"""`python -m server.backup backup|restore FILE`: where the server is. `pyk8s admin` runs it."""

import argparse
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import anyio

from server.app.database import prepare_data_dir
from server.backup.container import Manifest, Refused
from server.backup.restoring import restore
from server.backup.taking import take
from server.config import Settings, load
from server.errors import LabError

STDIO = "-"
INTERRUPTED = 130  # 128 and SIGINT, as a shell says it


def backup(settings: Settings, target: str, *, force: bool) -> Manifest:
    """Write a backup to a file that only its owner can read, or to a pipe.

    Raises:
        Refused: the file is there already, or cannot be written.
        StartFailed: PostgreSQL does not answer.
    """
    if target == STDIO:
        if sys.stdout.isatty():
            raise Refused("a backup is no text for a terminal", "send it to a file: > FILE")
        return anyio.run(take, settings, cast("IO[bytes]", sys.stdout.buffer))
    path = Path(target)
    if path.exists() and not force:
        raise Refused(f"{path} is there already", "name another file, or say --force")
    try:
        # In the same folder, so that the rename at the end makes it count; mode 0600.
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", "name another file") from error
    try:
        with os.fdopen(handle, "wb") as file:
            manifest = anyio.run(take, settings, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    return manifest


def bring_back(settings: Settings, source: str, *, replace: bool, keep_epoch: bool) -> Manifest:
    """Restore a file, or what comes through a pipe.

    Raises:
        Refused: it cannot be read, does not fit, or what is there is in the way.
        StartFailed: PostgreSQL does not answer, or its database is not empty.
    """

    async def run(file: IO[bytes]) -> Manifest:
        return await restore(settings, file, replace=replace, keep_epoch=keep_epoch)

    try:
        if source != STDIO:
            with Path(source).open("rb") as file:
                return anyio.run(run, file)
        prepare_data_dir(settings.data_dir)
        # It is read twice. The file has no name, and a disk with room for what it becomes.
        with tempfile.TemporaryFile(dir=settings.data_dir) as spooled:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            return anyio.run(run, spooled)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if error.filename != source:
            raise
        raise Refused(f"{source} cannot be read: {error.strerror}", "name the backup") from error


def main(argv: list[str] | None = None) -> int:
    """Read the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m server.backup", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    taking = verbs.add_parser("backup")
    taking.add_argument("file", metavar="FILE")
    taking.add_argument("--force", action="store_true")
    restoring = verbs.add_parser("restore")
    restoring.add_argument("file", metavar="FILE")
    restoring.add_argument("--replace", action="store_true")
    restoring.add_argument("--keep-epoch", action="store_true")
    for each in (taking, restoring):
        each.add_argument("--quiet", action="store_true", help="errors only")
    given = parser.parse_args(argv)
    try:
        settings = load()
        if given.verb == "backup":
            manifest = backup(settings, given.file, force=given.force)
            told = "Backed up"
        else:
            manifest = bring_back(
                settings, given.file, replace=given.replace, keep_epoch=given.keep_epoch
            )
            told = "Restored"
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Refused, LabError) as error:
        sys.stderr.write(f"Error: {error.detail}\n")
        if error.fix:
            sys.stderr.write(f"Fix: {error.fix}\n")
        return 1
    if given.quiet:
        return 0
    rows = {table.name: table.rows for table in manifest.tables}
    sys.stderr.write(
        f"{told}: {rows.get('clusters', 0)} clusters with {rows.get('events', 0)} events, "
        f"as of {manifest.made_at}.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
