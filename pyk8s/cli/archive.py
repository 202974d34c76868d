"""Where an archive of images comes from: a file, standard input, or this machine's Docker."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pyk8s.client.errors import LabError

PIECE_BYTES = 256 * 1024
STDIN = Path("-")


class ArchiveProblem(LabError):
    """There is no archive to be had."""


@dataclass(frozen=True, slots=True)
class Source:
    """An archive. `size_bytes`: about so long; None: nobody knows."""

    pieces: AsyncIterator[bytes]
    size_bytes: int | None


@asynccontextmanager
async def opened(images: Sequence[str], file: Path | None) -> AsyncIterator[Source]:
    """Open an archive: that file, or what Docker writes of these images.

    Raises:
        ArchiveProblem: the file cannot be read, or Docker does not have an image.
    """
    if file is None:
        async with _saved(images) as source:
            yield source
        return
    if file == STDIN:
        yield Source(_read(sys.stdin.buffer.read), None)
        return
    try:
        opened_file = file.open("rb")
    except OSError as error:
        raise ArchiveProblem(
            f"{file} cannot be read: {error.strerror}.",
            fix=f"Write it with: docker save -o {file} IMAGE",
        ) from error
    with opened_file:
        yield Source(_read(opened_file.read), os.fstat(opened_file.fileno()).st_size)


async def _read(read: Callable[[int], bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(read, PIECE_BYTES):
        yield piece


@asynccontextmanager
async def _saved(images: Sequence[str]) -> AsyncIterator[Source]:
    size = await _size_of(images)
    process = await asyncio.create_subprocess_exec(
        "docker", "save", "--", *images,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Source(_written_by(process), size)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _written_by(process: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("the process has no pipes")
    while piece := await process.stdout.read(PIECE_BYTES):
        yield piece
    said = (await process.stderr.read()).decode(errors="replace").strip()
    if await process.wait() != 0:
        raise ArchiveProblem(f"docker save failed: {said}", fix="See: docker images")


async def _size_of(images: Sequence[str]) -> int:
    """Add up what Docker says of the images, which is about what it writes.

    Raises:
        ArchiveProblem: it does not have them all, or there is no Docker.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "docker", "image", "inspect", "--format", "{{.Size}}", "--", *images,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise ArchiveProblem(
            "There is no docker on this machine to take the images from.",
            fix="Give an archive that docker save wrote elsewhere: --file images.tar",
        ) from error
    told, said = await process.communicate()
    if process.returncode != 0:
        raise ArchiveProblem(
            f"Docker does not have them all: {said.decode(errors='replace').strip()}",
            fix=f"Pull or build it first: docker pull {images[-1]}",
        )
    return sum(int(line) for line in told.split())
