"""The images of a simulated cluster: the archive is read for real, and kept as a list of names."""

import hashlib
import json
import tarfile
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO, Final

import anyio.to_thread

from server.drivers.base import DriverError, Explanation, NodeImage

FILE: Final = "images.json"
BUILT_IN: Final = (("registry.k8s.io/pause:3.10.1", 320_000), ("simulated/workload:1", 2_200_000))
"""Made up: what a real node brings along is longer."""


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
    try:
        with tarfile.open(fileobj=file) as archive:
            manifest = archive.extractfile("manifest.json")
            listed = json.load(manifest) if manifest else []
            names = [name for each in listed for name in each.get("RepoTags") or ()]
    except (tarfile.TarError, KeyError, ValueError, AttributeError) as error:
        raise DriverError(
            Explanation(
                code="images_not_loaded",
                title="The images cannot be loaded",
                cause=f"the archive cannot be read: {error}",
                fix="send what `docker save IMAGE` writes",
            )
        ) from error
    kept = json.loads(path.read_text()) if path.exists() else {}
    new = {name: (size // len(names), nodes) for name in names}
    path.write_text(json.dumps(kept | new))
    return names


def images(pieces: Path, *, nodes: int) -> Sequence[NodeImage]:
    """List those that were made up and those that were loaded."""
    path = pieces / FILE
    kept = json.loads(path.read_text()) if path.exists() else {}
    found = {name: (size, nodes) for name, size in BUILT_IN} | kept
    return [
        NodeImage(f"sha256:{hashlib.sha256(name.encode()).hexdigest()}", (name,), size, count)
        for name, (size, count) in found.items()
    ]
