"""The data directory's half of a backup: which files belong to it, and their way back."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from server.backup.container import Refused

KEPT: Final = ("secret.key", "host-id", "tls", "attempts", "simulated")
"""What a server keeps in its data directory, and cannot make again: the key of stored kubeconfigs,
the name that labels its clusters, its authority, and what it knows of each attempt."""
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


def kept_in(data_dir: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files to keep, with their names in the backup.

    Only regular files: no link is followed, so that nothing from outside gets in.
    """
    for top in KEPT:
        path = data_dir / top
        if path.is_dir() and not path.is_symlink():
            for folder, _, names in os.walk(path):
                for name in sorted(names):
                    file = Path(folder, name)
                    if _is_regular(file):
                        yield str(file.relative_to(data_dir)), file
        elif _is_regular(path):
            yield top, path


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
        """Open a new file; return its descriptor."""
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)

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
