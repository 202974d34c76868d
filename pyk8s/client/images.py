"""Container images of one cluster for programs: those in its nodes, and bringing more."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from pathlib import Path

from pyk8s.client.http import Http, understand
from pyk8s.wire.images import Image, ImageList, LoadedImages

PIECE_BYTES = 256 * 1024


class Images:
    """The images in the nodes of one of the caller's clusters."""

    def __init__(self, http: Http, cluster_path: str) -> None:
        self._http = http
        self._path = f"{cluster_path}/images"

    async def list(self) -> Sequence[Image]:
        """Give all of them, by name.

        Raises:
            Conflict: the cluster is not ready, or paused.
        """
        return understand(ImageList, await self._http.document("GET", self._path)).items

    async def load(self, archive: Path | AsyncIterable[bytes]) -> LoadedImages:
        """Bring the images of an archive, as `docker save` writes it, into every node.

        The cluster takes it as it is sent: when the last piece has gone there is little left to
        do. A paused cluster is woken.

        Raises:
            OSError: the file cannot be read.
            Invalid: it is no such archive, or too long, or the nodes cannot take it.
            Conflict: the cluster is not up.
            OverCapacity: the server is loading as many as it may.
        """
        pieces = _read(archive) if isinstance(archive, Path) else archive
        return understand(LoadedImages, await self._http.upload(self._path, pieces))


async def _read(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
