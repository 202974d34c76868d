"""A reader of the tar of a backup: regular files only, and nothing is read whole but names.

`tarfile` reads an extended header into memory at the size that the archive claims, follows chains
of them by recursion, and keeps every member that it saw. An archive of some kilobytes makes it take
gigabytes, and no public option of it bounds that. `TarInfo.frombuf` still parses each header.
"""

import tarfile
from collections.abc import Iterator
from typing import Final, Protocol

EXTENDED_BYTES: Final = 64 * 1024
"""A pax header of a backup has one record, the path of a file of the data directory."""
PATH_KEYWORD: Final = b"path"
SKIP_BYTES: Final = 1024 * 1024
"""What nobody has read of a member is skipped in pieces of this size."""


class Readable(Protocol):
    """A file, or what unpacks one."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; nothing at the end."""
        ...


class Unexpected(Exception):
    """The archive has something that no backup has."""


class Content:
    """The content of the current member, read in pieces."""

    def __init__(self, file: Readable, size: int) -> None:
        self._file = file
        self.left = size

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, or all that is left; nothing at the end.

        Raises:
            EOFError: the archive ends before the member does.
        """
        piece = self._file.read(self.left if size < 0 else min(size, self.left))
        if self.left and size and not piece:
            raise EOFError("it ends within a member: it was cut off")
        self.left -= len(piece)
        return piece

    def skip(self) -> None:
        """Pass over the rest. Raises as `read`."""
        while self.read(SKIP_BYTES):
            pass


def members(file: Readable) -> Iterator[tuple[tarfile.TarInfo, Content]]:
    """Yield the regular files of an archive, up to the block of zeros at its end.

    The content of a member can be read until the next one is asked for.

    Raises:
        EOFError: the archive is cut off.
        tarfile.HeaderError: a header is none.
        Unexpected: a member is no regular file, or has an extended header that no backup has.
    """
    while (info := _header(file)) is not None:
        path = None
        if info.type == tarfile.XHDTYPE:
            path = _path_in(file, info.size)
            info = _header(file)
            if info is None:
                raise EOFError("it ends after an extended header: it was cut off")
        if info.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or info.size < 0:
            raise Unexpected(f"the member {info.name!r} is no file of a backup")
        if path is not None:
            info.name = path
        content = Content(file, info.size)
        yield info, content
        content.skip()
        Content(file, -info.size % tarfile.BLOCKSIZE).skip()


def _header(file: Readable) -> tarfile.TarInfo | None:
    block = _exactly(file, tarfile.BLOCKSIZE)
    if block.count(0) == tarfile.BLOCKSIZE:
        return None
    return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")


def _path_in(file: Readable, size: int) -> str:
    """Read a pax header (POSIX.1-2001, "pax Extended Header"): lines `LENGTH path=VALUE`."""
    if not 0 < size <= EXTENDED_BYTES:
        raise Unexpected(f"an extended header has {size} bytes, and {EXTENDED_BYTES} is the most")
    records = _exactly(file, size)
    _exactly(file, -size % tarfile.BLOCKSIZE)
    length, _, record = records.partition(b" ")
    keyword, _, value = record.partition(b"=")
    if (
        length != str(size).encode()  # so it is the only record
        or keyword != PATH_KEYWORD
        or not value.endswith(b"\n")
    ):
        raise Unexpected("an extended header says something else than the path of a member")
    try:
        return value.removesuffix(b"\n").decode()
    except UnicodeDecodeError as error:
        raise Unexpected("the path of a member is not UTF-8") from error


def _exactly(file: Readable, size: int) -> bytes:
    content = Content(file, size)
    pieces = []
    while piece := content.read(size):
        pieces.append(piece)
    return b"".join(pieces)
