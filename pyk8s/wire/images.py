"""Container images in the nodes of a cluster, on the wire."""

from pyk8s.wire.base import Answer

ARCHIVE_TYPES = (
    "application/x-tar",
    "application/gzip",
    "application/x-gzip",
    "application/octet-stream",
)
"""Media types of an archive of images, as `docker save` writes it, plain or compressed."""


class Image(Answer):
    """An image that pods can start from without a pull."""

    id: str
    """The digest of its configuration: `sha256:...`."""
    names: list[str]
    """Such as `docker.io/library/busybox:1.37`; none when its names went to another image."""
    size_bytes: int
    """As the node counts it: compressed layers."""
    nodes: int
    """In so many of the cluster's nodes."""


class ImageList(Answer):
    """The images of a cluster, by name."""

    items: list[Image]


class LoadedImages(Answer):
    """What an archive brought into every node of a cluster."""

    names: list[str]
    size_bytes: int
    """Of the archive, as it was sent."""
