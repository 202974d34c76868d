"""How uvicorn is told to serve."""

import httpx
from starlette.applications import Starlette

from server.__main__ import configuration

PROXIES_SECONDS = 60.0
"""How long nginx and its like keep an idle connection to a server."""


def test_whoever_asks_closes_an_idle_connection_first() -> None:
    """A server that closes it at the same moment would lose requests now and then."""
    kept = configuration(Starlette()).timeout_keep_alive
    clients = httpx.Limits().keepalive_expiry or 0.0
    assert kept > max(clients, PROXIES_SECONDS)
