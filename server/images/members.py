"""How many members an archive has, counted while it passes.

A node's containerd takes a while for each member, however small, so that an archive of a few MiB
can keep it busy for long. What counts as a member is read as Go's `archive/tar` reads it, which is
what containerd uses; where that would give up, nothing is counted any more.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from server.errors import ImageRefused

MOST_MEMBERS: Final = 10_000
"""`docker save` writes three or four for each layer, and an image has 127 layers at most."""

_BLOCK: Final = 512
_MOST_SPECIAL_BYTES: Final = 1024 * 1024
"""Go refuses longer extended headers."""
_WITHOUT_CONTENT: Final = b"123456"
"""Links, devices, directories, pipes: their size is not looked at."""


class Members:
    """Counts the headers of a tar archive, its extended ones as well."""

    def __init__(self, most: int = MOST_MEMBERS) -> None:
        self._most = most
        self.count = 0
        self._is_over = False
        self._left_of_content = 0
        self._block = bytearray()
        self._wanted = _BLOCK
        self._read: Callable[[bytes], None] = self._header
        self._size_of_next: int | None = None
        """As an extended header says."""

    def look(self, piece: bytes) -> None:
        """Count those that begin in the next piece of the archive.

        Raises:
            ImageRefused: there are too many, or it cannot be said how many.
        """
        at = 0
        while at < len(piece) and not self._is_over:
            if self._left_of_content:
                passed = min(self._left_of_content, len(piece) - at)
                self._left_of_content -= passed
            else:
                passed = min(self._wanted - len(self._block), len(piece) - at)
                self._block += piece[at : at + passed]
                if len(self._block) == self._wanted:
                    self._read_block()
            at += passed

    def _read_block(self) -> None:
        block, read = bytes(self._block), self._read
        self._block.clear()
        self._wanted, self._read = _BLOCK, self._header
        read(block)

    def _header(self, block: bytes) -> None:
        size, kind = _size_in(block), block[156:157]
        if size is None or not any(block):
            self._is_over = True
            return
        self.count += 1
        if self.count > self._most:
            raise ImageRefused(
                f"the archive has more than {self._most} members",
                fix="load fewer images at once",
            )
        if kind == b"x":
            self._expect_extended(size)
        elif kind in {b"g", b"L", b"K"}:
            self._left_of_content = _padded(size)
        else:
            self._member(block, kind, size)

    def _expect_extended(self, size: int) -> None:
        if size > _MOST_SPECIAL_BYTES:
            self._is_over = True
        elif size:
            self._wanted, self._read = _padded(size), partial(self._extended, size)

    def _extended(self, size: int, block: bytes) -> None:
        """Read the records of an extended header, each `LENGTH KEY=VALUE` and the end of a line."""
        at = 0
        while at < size:
            length, _, _ = block[at:size].partition(b" ")
            if not length.isdigit() or not len(length) < int(length) <= size - at:
                self._is_over = True
                return
            record = block[at + len(length) + 1 : at + int(length) - 1]
            key, _, value = record.partition(b"=")
            if key == b"size":
                if not value.isdigit():
                    self._is_over = True
                    return
                self._size_of_next = int(value)
            at += int(length)

    def _member(self, block: bytes, kind: bytes, size: int) -> None:
        if self._size_of_next is not None:
            size, self._size_of_next = self._size_of_next, None
        if kind in {bytes([each]) for each in _WITHOUT_CONTENT}:
            return
        if kind == b"\0" and size:  # a directory to some and a file to others, by its name
            raise ImageRefused(
                "the archive is in a format from before 1988",
                fix="send what `docker save IMAGE` writes",
            )
        if kind == b"S" and block[482]:
            self._read = partial(self._sparse, size)
        else:
            self._left_of_content = _padded(size)

    def _sparse(self, size: int, block: bytes) -> None:
        """Pass a further block of a map of holes, as GNU tar once wrote it."""
        if block[504]:
            self._read = partial(self._sparse, size)
        else:
            self._left_of_content = _padded(size)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _size_in(block: bytes) -> int | None:
    """Return the size in a header. None: there is none."""
    field = block[124:136]
    if field[0] & 0x80:
        if field[0] & 0x40:  # negative
            return None
        return int.from_bytes(bytes([field[0] & 0x3F]) + field[1:])
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        return None
