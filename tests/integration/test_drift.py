"""What administrators see of drift, and how they have it repaired."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import anyio
import pytest
import uuid_utils.compat as uuids

from server.config import Settings
from server.drivers.base import kind_name
from tests.integration.conftest import Caller
from tests.integration.test_api import problem

DRIFT = "/api/v1/admin/drift"


@pytest.fixture
def pieces(settings: Settings) -> Path:
    return settings.data_dir / "simulated"


def swap(pieces: Path, orphan: Path) -> None:
    """Take away all that there is, and make something that nobody knows."""
    for path in pieces.glob("pyk8s-*"):
        shutil.rmtree(path)
    orphan.mkdir()
    (orphan / "control-plane.json").write_text(json.dumps({"container": "x"}))


async def host_of(caller: Caller, *, differences: int) -> dict[str, Any]:
    """Look until the host has so many differences."""
    async with asyncio.timeout(60):
        while True:
            answer = await caller.http.get(DRIFT)
            assert answer.status_code == 200, answer.text
            items: list[dict[str, Any]] = answer.json()["items"]
            if items and len(items[0]["differences"]) == differences:
                return items[0]
            await asyncio.sleep(0.1)


async def test_drift_is_told_side_by_side_and_repaired_after_a_dry_run(
    ann: Caller, pieces: Path
) -> None:
    cluster = await ann.create(name="lost")
    await ann.until(cluster["id"], "ready")
    orphan_id = uuids.uuid7()
    orphan = pieces / kind_name(orphan_id)
    swap(pieces, orphan)

    host = await host_of(ann, differences=2)
    by_kind = {each["kind"]: each for each in host["differences"]}
    assert by_kind.keys() == {"orphan", "nodes_gone"}
    assert all(each["explanation"] and each["repair"] for each in by_kind.values())
    seen = {each["attempt_id"]: each for each in host["attempts"]}
    assert seen[str(orphan_id)]["cluster"] is None
    assert any("control-plane" in each for each in seen[str(orphan_id)]["pieces"])
    ours = next(each for each in host["attempts"] if each["cluster"] == "lost")
    assert (ours["pieces"], ours["has_directory"], ours["has_kubeconfig"]) == ([], True, True)

    wish = {"differences": [by_kind["orphan"]["id"]]}
    dry = await ann.http.post(f"{DRIFT}/repair", json=wish)
    assert dry.status_code == 202
    assert dry.json()["dry_run"] is True
    assert [each["kind"] for each in dry.json()["differences"]] == ["orphan"]
    done = await ann.http.post(f"{DRIFT}/repair", json={"dry_run": False})
    assert len(done.json()["differences"]) == 2
    await ann.until(cluster["id"], "failed")
    host = await host_of(ann, differences=0)
    assert not await anyio.Path(orphan).exists()


async def test_only_admins_see_drift_and_a_wrong_id_is_told(ann: Caller, bob: Caller) -> None:
    problem(await bob.http.get(DRIFT), 403, "forbidden")
    problem(await bob.http.post(f"{DRIFT}/repair", json={}), 403, "forbidden")
    wish = {"differences": ["orphan:nothing"], "dry_run": False}
    refused = problem(await ann.http.post(f"{DRIFT}/repair", json=wish), 422, "validation")
    assert "orphan:nothing" in refused.detail
