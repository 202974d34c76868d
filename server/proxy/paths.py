"""Where a request goes. Pure: what a path may look like, and what it may not reach.

A path is read once, here, and passed on byte for byte: nobody behind us may read it otherwise.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes
from uuid import UUID

from server.proxy.refusals import Refusal

CLUSTERS: Final = b"clusters"
"""No API server has a path that begins so."""

_PATH: Final = re.compile(
    rb"/clusters/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(/[!-~]*)?"
)
_PLAIN: Final = re.compile(rb"/[!-~]*")
_NOT_IN_A_SEGMENT: Final = re.compile(rb"[\x00-\x1f\x7f/\\]")
_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Destination:
    """A cluster, and what of it is wanted."""

    cluster_id: UUID | None
    """None: the path names no cluster. A credential opens one only, so it tells which."""
    path: bytes
    """As it was sent, without what names the cluster; begins with a slash."""
    segments: tuple[bytes, ...]
    """Of the path, unescaped."""

    @property
    def prefix(self) -> bytes:
        """What names the cluster."""
        return b"" if self.cluster_id is None else b"/clusters/" + str(self.cluster_id).encode()


def destination(raw_path: bytes) -> Destination:
    """Read the path of a request, as it was sent.

    `kubectl proxy` asks for `/api` where its kubeconfig names a server with a path of its own.

    Raises:
        Refusal: it names no cluster where it begins to, can be read in two ways, or reaches past
            the API server.
    """
    found = _PATH.fullmatch(raw_path)
    cluster_id = UUID(found[1].decode()) if found is not None else None
    path = (found[2] or b"/") if found is not None else raw_path
    if not _PLAIN.fullmatch(path):
        raise Refusal(400, "BadRequest", "the path has to be of printable ASCII, after a slash")
    segments = _segments(path)
    if found is None and segments[0] == CLUSTERS:
        raise Refusal(
            404,
            "NotFound",
            "the path begins with /clusters/ and names none by its id: take a kubeconfig of this "
            "server",
        )
    if segments[:3] == [b"api", b"v1", b"nodes"] and segments[4:5] == [b"proxy"]:
        # Past the API server's own rights and audit, to whatever listens on the node.
        raise Refusal(403, "Forbidden", "nodes/proxy is not reached through this server")
    return Destination(cluster_id, path, tuple(segments))


def _segments(path: bytes) -> list[bytes]:
    if _ESCAPE.search(path):
        raise Refusal(400, "BadRequest", "the path has a % that escapes nothing")
    segments = [unquote_to_bytes(each) for each in path[1:].split(b"/")]
    for number, segment in enumerate(segments):
        is_last = number == len(segments) - 1
        if segment in {b".", b".."} or _NOT_IN_A_SEGMENT.search(segment):
            raise Refusal(400, "BadRequest", "the path has a segment that could be read as another")
        if not segment and not is_last:
            raise Refusal(400, "BadRequest", "the path has an empty segment")
    return segments
