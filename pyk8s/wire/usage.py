"""What a cluster takes of its host, on the wire."""

from pyk8s.wire.base import Answer, Timestamp


class Usage(Answer):
    """What the nodes of a cluster take together, measured at this moment."""

    memory_bytes: int
    """Without the cache that the kernel gives back when somebody needs it."""
    cpu_cores: float
    """How many processors it keeps busy, on average over `sample_seconds`. A paused one: 0."""
    sample_seconds: float
    disk_bytes: int | None
    """What lies in the volumes of its nodes: images, etcd, logs, volumes of pods. None: it cannot
    be told now."""
    measured_at: Timestamp
