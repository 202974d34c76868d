"""The file of a backup: a gzipped tar whose last member vouches for all the others.

    format                  `pyk8s-backup 1`
    database/TABLE/NNNNNN   rows as COPY writes them, cut into parts
    data/PATH               a file of the data directory
    manifest.json           what made the file, and size and SHA-256 of each member

The manifest comes last, so that the file is written in one pass, to a pipe as well. A file that was
cut off has none.
"""

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from server.backup import tar

FORMAT: Final = b"pyk8s-backup "
VERSION: Final = 1
PART_BYTES: Final = 4 * 1024 * 1024
"""Rows are cut into members of this size: a tar names the size of a member before its content."""
MEMBER_BYTES: Final = 1024 * 1024 * 1024
"""No member of an honest backup is larger: a file of the data directory has megabytes."""
MANIFEST_BYTES: Final = 16 * 1024 * 1024
"""The one member that is read whole. It lists some 90,000 others, and a backup has a few for each
cluster that is being made, and one for 4 MiB of rows."""
MIN_LISTED_BYTES: Final = 100
"""Of the manifest, for one member besides its name: a SHA-256 has 64 of them."""
PATH_BYTES: Final = 1024
NAME_BYTES: Final = 255
"""PATH_BYTES and NAME_BYTES: no server makes longer ones, and file systems refuse longer names."""
COMPRESSION: Final = 5
DATABASE: Final = "database"
DATA: Final = "data"
MANIFEST: Final = "manifest.json"
KEPT_FILES: Final = ("secret.key", "host-id")
KEPT_FOLDERS: Final = ("tls", "attempts", "simulated")
"""KEPT_FILES and KEPT_FOLDERS: what a server keeps in its data directory, and cannot make again:
the key of stored kubeconfigs, the name that labels its clusters, its authority, and what it knows
of each attempt. A backup has nothing else of the directory."""


class Refused(Exception):
    """A backup cannot be made or used: why, and the way out."""

    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fix = fix


class Member(BaseModel):
    """What the manifest says of a member."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    sha256: str


class DumpedTable(BaseModel):
    """A table: its columns in the order of its rows, and how many rows there are."""

    model_config = ConfigDict(frozen=True)

    name: str
    columns: tuple[str, ...]
    rows: int


class Manifest(BaseModel):
    """What made the file, and what is in it."""

    model_config = ConfigDict(frozen=True)

    made_at: str
    server_version: str
    revision: str
    """Migration that the rows were read under."""
    tables: tuple[DumpedTable, ...]
    key_fingerprint: str
    """SHA-256 of the key that seals kubeconfigs."""
    has_key: bool
    """False: the key is not in the file, because PYK8S_SECRET_KEY gave it."""
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A member while it is read. `content` must be read before the next entry is asked for."""

    name: str
    size: int
    mode: int
    content: "_InWords"


class Writer:
    """Writes the members one after the other."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._tar = archive
        self._members: list[Member] = []

    def add(self, name: str, data: bytes) -> None:
        """Add a member."""
        self._add(name, len(data), io.BytesIO(data), 0o600)

    def add_file(self, name: str, path: Path) -> None:
        """Add a file as long as it is now: one that grows meanwhile is taken up to there.

        Raises:
            FileNotFoundError: it is gone.
            Refused: it became shorter while it was read.
        """
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            mode = 0o700 if path.stat().st_mode & 0o100 else 0o600
            try:
                self._add(name, size, file, mode)
            except OSError as error:
                if "unexpected end of data" not in str(error):
                    raise
                raise Refused(
                    f"{path} changed while it was read", "make the backup again"
                ) from None

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest: from now on the file is whole."""
        whole = manifest.model_copy(update={"members": tuple(self._members)})
        data = whole.model_dump_json(indent=1).encode()
        if len(data) > MANIFEST_BYTES:  # it could not be restored
            raise Refused(
                f"the backup has {len(self._members)} members, more than its manifest can list",
                "remove what is not the server's from the data directory: see "
                f"{', '.join(KEPT_FOLDERS)}",
            )
        self._tar.addfile(_described(MANIFEST, len(data), 0o600), io.BytesIO(data))

    def _add(self, name: str, size: int, content: IO[bytes], mode: int) -> None:
        hashing = _Hashing(content)
        self._tar.addfile(_described(name, size, mode), hashing)
        self._members.append(Member(name=name, size=size, sha256=hashing.digest.hexdigest()))


class Parts:
    """Cuts what COPY says about a table into members."""

    def __init__(self, writer: Writer, table: str) -> None:
        self._writer = writer
        self._table = table
        self._pieces: list[bytes] = []
        self._size = 0
        self._count = 0

    def write(self, data: bytes) -> None:
        """Take a piece of the rows."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= PART_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was held back."""
        if self._pieces:
            self._count += 1
            name = f"{DATABASE}/{self._table}/{self._count:06}"
            self._writer.add(name, b"".join(self._pieces))
        self._pieces, self._size = [], 0


@contextmanager
def writing(file: IO[bytes]) -> Iterator[Writer]:
    """Write a backup into a file or a pipe."""
    with (
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=COMPRESSION, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        head = FORMAT + f"{VERSION}\n".encode()
        archive.addfile(_described("format", len(head), 0o600), io.BytesIO(head))
        yield Writer(archive)


def entries(file: IO[bytes]) -> Iterator[Entry]:
    """Yield the members that follow the first, in order, the manifest too.

    Raises:
        Refused: this is no backup, one of a later format, or a damaged one.
    """
    file.seek(0)
    with _in_words(file), gzip.GzipFile(fileobj=file, mode="rb") as packed:
        is_first = True
        for info, content in tar.members(packed):
            if info.size > MEMBER_BYTES:
                raise _damaged(f"the member {info.name!r} is no file of a backup")
            if is_first:
                _check_format(info.name, content.read(100))
                is_first = False
                continue
            yield Entry(info.name, info.size, info.mode & 0o700, _InWords(content, file))
        if is_first:
            raise _no_backup()
        while packed.read(1024 * 1024):  # to the checksum of gzip
            pass


@contextmanager
def _in_words(file: IO[bytes]) -> Iterator[None]:
    """Turn what unpacking may raise into a refusal."""
    try:
        yield
    except gzip.BadGzipFile as error:
        if file.tell() <= len(FORMAT) or "Not a gzipped file" in str(error):
            raise _no_backup() from error
        raise _damaged(str(error)) from error
    except (EOFError, zlib.error, tarfile.TarError, tar.Unexpected) as error:
        raise _damaged(str(error) or type(error).__name__) from error


class _InWords:
    """The content of a member, read outside of `entries`."""

    def __init__(self, content: tar.Content, file: IO[bytes]) -> None:
        self._content = content
        self._file = file

    def read(self, size: int = -1) -> bytes:
        with _in_words(self._file):
            return self._content.read(size)


def verified(file: IO[bytes]) -> Manifest:
    """Read a backup from end to end, and return its manifest: all of it is as it was written.

    Raises:
        Refused: it is damaged, cut off, of a later format, or no backup.
    """
    seen: dict[str, Member] = {}
    listed_bytes = 0
    manifest: Manifest | None = None
    for entry in entries(file):
        if manifest is not None:
            raise _damaged("something follows the manifest")
        if entry.name == MANIFEST:
            manifest = _manifest(entry)
            continue
        check_name(entry.name)
        if entry.name in seen:
            raise _damaged(f"the member {entry.name!r} is there twice")
        listed_bytes += MIN_LISTED_BYTES + len(entry.name)
        if listed_bytes > MANIFEST_BYTES:
            raise _damaged("it has more members than a manifest can list")
        digest = hashlib.sha256()
        while piece := entry.content.read(1024 * 1024):
            digest.update(piece)
        seen[entry.name] = Member(name=entry.name, size=entry.size, sha256=digest.hexdigest())
    in_order = sorted(seen, key=lambda name: name.replace("/", "\0"))  # a folder, then its content
    for name, following in pairwise(in_order):
        if following.startswith(f"{name}/"):
            raise _damaged(f"the member {name!r} is a file and a folder")
    if manifest is None:
        raise _damaged("it has no end: it was cut off")
    if manifest.members != tuple(seen.values()):
        known = {each.name: each for each in manifest.members}
        wrong = [each.name for each in seen.values() if known.get(each.name) != each]
        raise _damaged(f"{wrong[0] if wrong else 'a member'} is not as it was written")
    return manifest


def check_name(name: str) -> None:
    """Check that a member is one that a backup may have, and stays in its place.

    Raises:
        Refused: it is not.
    """
    if not is_allowed(name):
        raise _damaged(f"the member {name[:PATH_BYTES]!r} is no file of a backup")


def is_allowed(name: str) -> bool:
    """Return whether a backup may have a member of this name.

    Only the one spelling of a path passes, so that nobody who takes it apart can find another.
    """
    path = PurePosixPath(name)
    if (
        str(path) != name
        or ".." in path.parts
        or not name.isprintable()
        or len(name.encode(errors="replace")) > PATH_BYTES
        or any(len(part.encode(errors="replace")) > NAME_BYTES for part in path.parts)
    ):
        return False
    match path.parts:
        case ("database", _, _):
            return True
        case ("data", file):
            return file in KEPT_FILES
        case ("data", folder, *_):
            return folder in KEPT_FOLDERS
        case _:
            return False


def _manifest(entry: Entry) -> Manifest:
    if entry.size > MANIFEST_BYTES:
        raise _damaged(f"its manifest has {entry.size} bytes, and {MANIFEST_BYTES} is the most")
    data = bytearray()
    while piece := entry.content.read(1024 * 1024):
        data += piece
    try:
        return Manifest.model_validate_json(bytes(data))
    except ValidationError as error:
        raise _damaged("its manifest cannot be read") from error


class _Hashing(io.RawIOBase):
    """Passes a file on, and hashes what passes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _described(name: str, size: int, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, mode
    return info


def _check_format(name: str, head: bytes) -> None:
    version = head.removeprefix(FORMAT).strip().decode(errors="replace")
    if name != "format" or not head.startswith(FORMAT) or not version.isdecimal():
        raise _no_backup()
    if int(version) > VERSION:
        raise Refused(
            f"the backup has format {version}, this server reads up to {VERSION}",
            "restore it with the newer version of PyK8s Lab that wrote it",
        )


def _no_backup() -> Refused:
    return Refused("the file is no backup of PyK8s Lab", "name a file of `pyk8s admin backup`")


def _damaged(why: str) -> Refused:
    return Refused(
        f"the backup is damaged: {why}", "take another one; nothing was changed on this machine"
    )
