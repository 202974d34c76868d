"""The server: asks become rows, rows become clusters, clusters become events."""

from pyk8s.wire.version import VERSION

__version__ = VERSION

__all__ = ["__version__"]
