"""The images of a simulated cluster: the archive is read for real, and kept as a list of names."""

import hashlib
import json
import tarfile
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import anyio.to_thread
import orjson

from server.drivers.base import DriverError, Explanation, NodeImage

FILE: Final = "images.json"
BUILT_IN: Final = (("registry.k8s.io/pause:3.10.1", 320_000), ("simulated/workload:1", 2_200_000))
"""Made up: what a real node brings along is longer."""

MANIFEST: Final = "manifest.json"
MANIFEST_BYTES: Final = 1024 * 1024
"""`docker save` writes some 100 bytes for an image and 80 for each of its layers."""
READ_BYTES: Final = 16 * 1024 * 1024
"""Of headers and the manifest together: a header can announce a name of any length."""
MEMBERS: Final = 10_000
NAMES: Final = 1000
NAME_CHARS: Final = 512
"""More than a registry, a repository (255) and a tag (128) have."""


async def load(pieces: Path, archive: AsyncIterator[bytes], *, nodes: int) -> Sequence[str]:
    """Read an archive to its end and note its images.

    Raises:
        DriverError: it is none.
    """
    with tempfile.TemporaryFile() as file:
        async for piece in archive:
            await anyio.to_thread.run_sync(file.write, piece)
        return await anyio.to_thread.run_sync(_note, pieces / FILE, file, nodes)


def _note(path: Path, file: IO[bytes], nodes: int) -> Sequence[str]:
    size = file.tell()
    file.seek(0)
    names = names_in(_manifest_of(file))
    kept = json.loads(path.read_text()) if path.exists() else {}
    new = {name: (size // len(names), nodes) for name in names}
    path.write_text(json.dumps(kept | new))
    return names


class _Bounded:
    """A file of which only so much can be read: whoever wrote it says how much is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = READ_BYTES
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Read. Raises `DriverError` when that is too much."""
        self._left -= size
        if size > MANIFEST_BYTES or self._left < 0:
            raise _refused("its headers are larger than those of any archive of images")
        return self._file.read(size)


def _manifest_of(file: IO[bytes]) -> bytes:
    try:
        with tarfile.open(fileobj=_Bounded(file), mode="r:") as archive:  # type: ignore[call-overload]
            for _ in range(MEMBERS):
                member = archive.next()
                archive.members.clear()  # it would keep them all
                if member is None:
                    raise _refused(f"it has no {MANIFEST}")
                if member.name == MANIFEST:
                    return _content(archive, member)
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise _refused("it is damaged, or no tar archive") from error
    raise _refused(f"it has no {MANIFEST} among its first {MEMBERS} members")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.issparse() or not member.isreg():
        raise _refused(f"its {MANIFEST} is no ordinary file")
    if member.size > MANIFEST_BYTES:
        raise _refused(f"its {MANIFEST} has more than {MANIFEST_BYTES} bytes")
    opened = archive.extractfile(member)
    content = opened.read() if opened is not None else b""
    if len(content) != member.size:
        raise _refused("it is cut short")
    return content


def names_in(manifest: bytes) -> Sequence[str]:
    """Read the names of images from what `docker save` writes as `manifest.json`.

    Raises:
        DriverError: it is something else; the field is named.
    """
    try:
        listed: Any = orjson.loads(manifest)
    except orjson.JSONDecodeError as error:
        raise _refused(f"its {MANIFEST} is not JSON") from error
    if not isinstance(listed, list):
        raise _refused(f"its {MANIFEST} is no list of images")
    names: list[str] = []
    for place, image in enumerate(listed):
        if not isinstance(image, dict):
            raise _refused(f"{MANIFEST}[{place}] is no object")
        tags = image.get("RepoTags")
        if tags is not None and not isinstance(tags, list):
            raise _refused(f"{MANIFEST}[{place}].RepoTags is no list")
        for number, tag in enumerate(tags or []):
            if not isinstance(tag, str) or not tag.isprintable() or not 0 < len(tag) <= NAME_CHARS:
                raise _refused(f"{MANIFEST}[{place}].RepoTags[{number}] is no name of an image")
            names.append(tag)
    if len(names) > NAMES:
        raise _refused(f"its {MANIFEST} names more than {NAMES} images")
    return names


def _refused(why: str) -> DriverError:
    return DriverError(
        Explanation(
            code="images_not_loaded",
            title="The images cannot be loaded",
            cause=f"the archive cannot be read: {why}",
            fix="send what `docker save IMAGE` writes",
        )
    )


def images(pieces: Path, *, nodes: int) -> Sequence[NodeImage]:
    """List those that were made up and those that were loaded."""
    path = pieces / FILE
    kept = json.loads(path.read_text()) if path.exists() else {}
    found = {name: (size, nodes) for name, size in BUILT_IN} | kept
    return [
        NodeImage(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}", (name,), size, count)
        for name, (size, count) in found.items()
    ]
