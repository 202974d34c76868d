"""The data directory's half of a backup: which files belong to it, and their way back."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from server.backup.container import KEPT_FILES, KEPT_FOLDERS, Refused

KEPT: Final = (*KEPT_FILES, *KEPT_FOLDERS)
SKIPPED: Final = (
    "postgres",
    "postgres.lock",
    "setup-code",
    "server.lock",
    "server.pid",
    "server.log",
)
"""What else it puts there: the database is read through SQL, the rest belongs to one run."""
STAGE: Final = ".restore"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def kept_in(data_dir: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files to keep, with their names in the backup.

    Only regular files: no link is followed, so that nothing from outside gets in.
    """
    for top in KEPT_FILES:
        if _is_regular(data_dir / top):
            yield top, data_dir / top
    for top in KEPT_FOLDERS:
        path = data_dir / top
        if path.is_symlink():
            continue
        for folder, _, names in os.walk(path):
            for name in sorted(names):
                file = Path(folder, name)
                if _is_regular(file):
                    yield str(file.relative_to(data_dir)), file


class Stage:
    """A folder inside the data directory in which files wait until the database is restored."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.folder = data_dir / STAGE

    def __enter__(self) -> "Stage":
        """Begin with an empty folder, closed to others."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def create(self, name: str, mode: int) -> int:
        """Open a new file; return its descriptor.

        The path is walked by descriptors, one folder at a time, so that no name leads out of here.

        Raises:
            ValueError: the name is absolute, or has `..`.
        """
        *folders, last = Path(name).parts
        if Path(name).is_absolute() or ".." in (*folders, last):
            raise ValueError(f"{name!r} leads out of the folder")
        at = os.open(self.folder, _FOLDER)
        try:
            for folder in folders:
                with suppress(FileExistsError):
                    os.mkdir(folder, 0o700, dir_fd=at)
                inner = os.open(folder, _FOLDER, dir_fd=at)
                os.close(at)
                at = inner
            return os.open(last, _NEW, mode, dir_fd=at)
        finally:
            os.close(at)

    def put_in_place(self) -> None:
        """Move all files to where they belong, in the place of what was there."""
        for name in KEPT:
            _remove(self._data_dir / name)
        for path in sorted(self.folder.iterdir()):
            path.rename(self._data_dir / path.name)


def check_empty(data_dir: Path) -> None:
    """Check that a restore would overwrite nothing.

    Raises:
        Refused: there are files of a server.
    """
    found = sorted(name for name, _ in kept_in(data_dir))
    if found:
        listed = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")  # noqa: PLR2004
        raise Refused(
            f"the data directory {data_dir} is not empty: it has {listed}",
            "restore into an empty one (PYK8S_DATA_DIR), or say --replace to delete what is there",
        )


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
