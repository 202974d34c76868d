"""Where a request goes. Pure: what a path may look like, and what it may not reach.

A path is read once, here, and passed on byte for byte: nobody behind us may read it otherwise.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes
from uuid import UUID

from server.proxy.refusals import Refusal

_PATH: Final = re.compile(
    rb"/clusters/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(/[!-~]*)?"
)
_NOT_IN_A_SEGMENT: Final = re.compile(rb"[\x00-\x1f\x7f/\\]")
_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Destination:
    """A cluster, and what of it is wanted."""

    cluster_id: UUID
    path: bytes
    """As it was sent, without what names the cluster; begins with a slash."""

    @property
    def prefix(self) -> bytes:
        """What names the cluster."""
        return b"/clusters/" + str(self.cluster_id).encode()


def destination(raw_path: bytes) -> Destination:
    """Read the path of a request, as it was sent.

    Raises:
        Refusal: it names no cluster, can be read in two ways, or reaches past the API server.
    """
    found = _PATH.fullmatch(raw_path)
    if found is None:
        raise Refusal(
            404,
            "NotFound",
            "the path has to begin with /clusters/ID/: take a kubeconfig of this server",
        )
    path = found[2] or b"/"
    segments = _segments(path)
    if segments[:3] == [b"api", b"v1", b"nodes"] and segments[4:5] == [b"proxy"]:
        # Past the API server's own rights and audit, to whatever listens on the node.
        raise Refusal(403, "Forbidden", "nodes/proxy is not reached through this server")
    return Destination(UUID(found[1].decode()), path)


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
