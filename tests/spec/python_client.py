"""Uses what openapi-python-client made: `python python_client.py URL TOKEN CLUSTER ARCHIVE`."""

import importlib
import io
import pkgutil
import sys
from datetime import datetime
from pathlib import Path

import lab_client
from lab_client import AuthenticatedClient
from lab_client.api.access import access_kubeconfig
from lab_client.api.clusters import (
    clusters_evidence,
    clusters_get,
    clusters_list_all,
    clusters_usage,
)
from lab_client.api.events import events_events
from lab_client.api.images import images_load
from lab_client.models import EventPage, LoadedImages, Usage
from lab_client.types import File

url, token, cluster, archive = sys.argv[1:]
modules = [name for _, name, _ in pkgutil.walk_packages(lab_client.__path__, "lab_client.")]
for name in modules:
    importlib.import_module(name)
client = AuthenticatedClient(base_url=url, token=token, timeout=30)
listed = clusters_list_all.sync(client=client, limit=10)
found = clusters_get.sync(cluster, client=client)
assert found.id in [each.id for each in listed.items]
assert isinstance(found.created_at, datetime)
page = events_events.sync(cluster, client=client, limit=3)
assert isinstance(page, EventPage)
assert [event.seq for event in page.items] == [1, 2, 3]
assert isinstance(page.items[0].at, datetime)
assert page.items[0].type_ == "created"
used = clusters_usage.sync(cluster, client=client)
assert isinstance(used, Usage)
assert used.memory_bytes > 0
assert access_kubeconfig.sync(cluster, client=client).startswith("apiVersion: v1")
assert clusters_evidence.sync("failed", client=client).payload.read(2) == b"\x1f\x8b"
body = File(payload=io.BytesIO(Path(archive).read_bytes()))
assert isinstance(images_load.sync(cluster, client=client, body=body), LoadedImages)
sys.stdout.write(f"{len(modules)} modules\n")
