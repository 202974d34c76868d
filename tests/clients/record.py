"""The record of the last full run, from which docs/reference/clients.md is written.

`RECORD_CLIENTS=1` before pytest writes what runs into it; what does not run keeps its entry.
"""

import json
from pathlib import Path
from typing import Any

from tests.clients.checks import Check

FILE = Path(__file__).parent / "record.json"


def read() -> dict[str, Any]:
    """Return the record: clients by name, each with its version, date and verdicts."""
    recorded: dict[str, Any] = json.loads(FILE.read_text())
    return recorded


def checks_of(client: str, endpoint: str) -> dict[str, str]:
    """Return the recorded checks with the reasons of those that failed."""
    entry = read()["clients"].get(client, {})
    return dict(entry.get("endpoints", {}).get(endpoint, {}))


def write(client: str, version: str, endpoint: str, checks: list[Check], on: str) -> None:
    """Replace what is recorded of a client through one kubeconfig."""
    recorded = read()
    entry = recorded["clients"].setdefault(client, {})
    entry |= {"version": version, "on": on}
    recorded["not_run"].pop(client, None)
    entry.setdefault("endpoints", {})[endpoint] = {each.name: each.reason for each in checks}
    FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
