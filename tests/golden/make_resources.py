"""Writes golden objects from a real cluster: python -m tests.golden.make_resources KUBECONFIG

`resources/<plural>.json` holds objects as the API server gives them, cut down to what a row may
be made from, each beside the columns that the same server prints for it in the same answer: what
kubectl shows. The cluster has to have a mess in it: apply `resources/mess.yaml` a minute or two
before.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from server.drivers.kube_api import connect, read_kubeconfig

FOLDER: Final = Path(__file__).parent / "resources"
PATHS: Final = {
    "nodes": "/api/v1/nodes",
    "namespaces": "/api/v1/namespaces",
    "deployments": "/apis/apps/v1/deployments",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "jobs": "/apis/batch/v1/jobs",
    "cronjobs": "/apis/batch/v1/cronjobs",
    "pods": "/api/v1/pods",
    "services": "/api/v1/services",
    "events": "/api/v1/events",
}
TABLE: Final = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
BULKY: Final = frozenset(
    {
        "managedFields",
        "volumes",
        "volumeMounts",
        "affinity",
        "tolerations",
        "images",
        "securityContext",
        "env",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "annotations",
        "imageID",
    }
)
ALIKE: Final = 2
"""So many events of one reason are kept, and so many of the cluster's own pods."""


def trimmed(given: Any) -> Any:
    """Leave out what no row is made from."""
    if isinstance(given, dict):
        return {key: trimmed(value) for key, value in given.items() if key not in BULKY}
    return [trimmed(each) for each in given] if isinstance(given, list) else given


def few(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep a few of those that are alike."""
    seen: Counter[str] = Counter()
    kept = []
    for item in items:
        alike = item["object"].get("reason") or item["object"]["metadata"].get("namespace", "")
        seen[alike] += 1
        if alike == "shop" or seen[alike] <= ALIKE:
            kept.append(item)
    return kept


async def main(kubeconfig: str) -> None:
    """Ask for everything, and write it down."""
    credentials = read_kubeconfig(kubeconfig)
    async with connect(credentials, credentials.server) as client:
        for plural, path in PATHS.items():
            asked = f"{path}?includeObject=Object"
            table = (await client.ask("GET", asked, headers=TABLE)).document()
            names = [column["name"] for column in table["columnDefinitions"]]
            items = [
                {
                    "printed": dict(zip(names, row["cells"], strict=True)),
                    "object": trimmed(row["object"]),
                }
                for row in table["rows"]
            ]
            text = json.dumps(few(items), indent=1, ensure_ascii=False) + "\n"
            (FOLDER / f"{plural}.json").write_text(text)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_text()))
