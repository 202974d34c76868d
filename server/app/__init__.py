"""The composition root: the only place that names concrete drivers and starts loops."""

from server.app.composition import relaying, running

__all__ = ["relaying", "running"]
