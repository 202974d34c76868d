"""The record of docs/reference/clients.md speaks of the clients that are tried, and of no other."""

import pytest

from tests.clients import record
from tests.clients.checks import Check, parsed
from tests.clients.lab import ENDPOINTS
from tests.clients.programs import CLIENTS, Client


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_client_is_recorded_or_has_a_reason(client: Client) -> None:
    recorded = record.read()
    entry = recorded["clients"].get(client.name)
    if entry is None:
        assert recorded["not_run"][client.name]["reason"]
        return
    assert client.name not in recorded["not_run"]
    assert entry["version"] == client.version or not client.version
    assert sorted(entry["endpoints"]) == sorted(ENDPOINTS)
    assert all(entry["endpoints"].values()), "a client without a check"


def test_nobody_else_is_recorded() -> None:
    assert set(record.read()["clients"]) <= {client.name for client in CLIENTS}


@pytest.mark.parametrize(
    ("line", "check"),
    [
        ("ok\tlist", Check("list")),
        ("failed\tlist\tforbidden", Check("list", "forbidden")),
        ("failed\tlist", Check("list", "no reason was reported")),
    ],
)
def test_a_line_of_a_report(line: str, check: Check) -> None:
    assert parsed(line) == check
