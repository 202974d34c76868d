"""Programs that nobody here wrote, unmodified, with the kubeconfigs that a user gets.

What they do, and what came of it, is recorded in record.json; docs/reference/clients.md shows it.
"""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.clients import record
from tests.clients.checks import Place
from tests.clients.lab import ENDPOINTS, Lab
from tests.clients.programs import CLIENTS, Client

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3600)]


def cases() -> list[object]:
    """Return every client with each kubeconfig; the usual run has the quick ones by proxy."""
    return [
        pytest.param(
            client,
            endpoint,
            id=f"{client.name}-{endpoint}",
            marks=[] if client.is_quick and endpoint == "proxy" else [pytest.mark.long],
        )
        for client in CLIENTS
        for endpoint in ENDPOINTS
    ]


@pytest.mark.parametrize(("client", "endpoint"), cases())
def test_a_client_works_as_recorded(
    lab: Lab, client: Client, endpoint: str, tmp_path: Path
) -> None:
    recording = bool(os.environ.get("RECORD_CLIENTS"))
    if (lacking := client.lacks) is not None:
        pytest.skip(f"{client.name} needs {lacking}")
    if not recording and not record.checks_of(client.name, endpoint):
        pytest.skip(f"{client.name} is not recorded: RECORD_CLIENTS=1 records it")
    folder = client.installation.ensure()
    namespace = f"{client.name.strip('@').replace('/', '-').replace('_', '-').replace(' ', '-')}"
    namespace = f"{namespace.lower()}-{endpoint}"
    kubectl = ["kubectl", "--kubeconfig", str(lab.kubeconfigs["direct"])]
    subprocess.run([*kubectl, "create", "namespace", namespace], check=True, timeout=60)
    place = Place(endpoint, lab.kubeconfigs[endpoint], namespace, tmp_path)
    checks = client.run(folder, place)
    version = client.version or lab.kubernetes_version
    if recording:
        today = datetime.now(UTC).date().isoformat()
        record.write(client.name, version, endpoint, checks, today)
    recorded = record.checks_of(client.name, endpoint)
    seen = {each.name: each.is_ok for each in checks}
    assert seen == {name: not reason for name, reason in recorded.items()}, [
        each for each in checks if not each.is_ok
    ]
