"""Clients of others are tried against a real server with the simulated driver."""

from tests.integration.conftest import lab_server, settings

__all__ = ["lab_server", "settings"]
