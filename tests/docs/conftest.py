"""The documentation is tried against a real server with the simulated driver."""

from tests.integration.conftest import ann, lab_server, settings

__all__ = ["ann", "lab_server", "settings"]
