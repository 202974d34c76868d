"""Images into a cluster and what it takes, by the API, the SDK and the command line."""

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyk8s import Conflict, Invalid, Lab
from server.config import Settings
from server.transport import guarded_http
from tests.archives import archive_of, gzipped, image_archive, pieces_of
from tests.integration.conftest import Caller, LabServer, sign_up
from tests.integration.test_cli import Shell

NAME = "docker.io/library/mine:1"
TAR = {"Content-Type": "application/x-tar"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"image_archive_bytes": 1024 * 1024})


async def ready(caller: Caller, name: str = "demo") -> str:
    created = await caller.create(name=name)
    await caller.until(name, "ready")
    return str(created["id"])


def names(listed: dict[str, Any]) -> set[str]:
    return {name for item in listed["items"] for name in item["names"]}


async def test_an_archive_is_loaded_listed_and_told(ann: Caller) -> None:
    await ready(ann)
    async with Lab(ann.base_url, ann.token) as lab:
        cluster = await lab.clusters.get("demo")
        before = {name for image in await cluster.images.list() for name in image.names}
        archive = gzipped(image_archive(NAME))
        loaded = await cluster.images.load(pieces_of(archive))
        assert (loaded.names, loaded.size_bytes) == ([NAME], len(archive))
        after = {name for image in await cluster.images.list() for name in image.names}
        assert after == {*before, NAME}
        events = [item.event async for item in cluster.stored_events() if item.event]
    told = events[-1]
    assert told.type == "images_loaded"
    assert (told.data.names, told.data.by) == ([NAME], "ann")


async def test_a_paused_cluster_is_woken_to_take_one_but_not_to_be_listed(ann: Caller) -> None:
    await ready(ann)
    await ann.http.post("/api/v1/clusters/demo/pause")
    await ann.until("demo", "paused")
    async with Lab(ann.base_url, ann.token) as lab:
        cluster = await lab.clusters.get("demo")
        with pytest.raises(Conflict, match="paused"):
            await cluster.images.list()
        assert (await cluster.refresh()).phase == "paused"
        await cluster.images.load(pieces_of(image_archive(NAME)))
        assert (await cluster.refresh()).phase == "ready"


async def test_what_cannot_be_loaded_is_refused_and_leaves_nothing(
    ann: Caller, lab_server: LabServer
) -> None:
    cluster_id = await ready(ann)
    path = f"/api/v1/clusters/{cluster_id}/images"
    before = (await ann.http.get(path)).json()

    answer = await ann.http.post(path, json={"image": NAME})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    answer = await ann.http.post(path, content=os.urandom(5000), headers=TAR)
    assert (answer.status_code, answer.json()["code"]) == (422, "image_refused")
    async with Lab(ann.base_url, ann.token) as lab:
        cluster = await lab.clusters.get("demo")
        with pytest.raises(Invalid, match="1048576 bytes"):
            await cluster.images.load(pieces_of(image_archive(layer_bytes=2_000_000), 65536))
        with pytest.raises(Invalid, match="cannot be read"):
            await cluster.images.load(pieces_of(image_archive()[:21_000]))
    for manifest in (b"5", b'[{"RepoTags": [1]}]', b"[" * 100_000, b'[{"RepoTags": ["a\\u0000"]}]'):
        answer = await ann.http.post(path, content=archive_of(manifest), headers=TAR)
        assert (answer.status_code, answer.json()["code"]) == (422, "image_refused"), manifest[:20]
        assert "manifest.json" in answer.json()["detail"]
    await ann.create(name="waits", labels={"simulate": "hang"})
    answer = await ann.http.post("/api/v1/clusters/waits/images", content=b"", headers=TAR)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")

    bob = await sign_up(lab_server, "bob")
    assert (await bob.http.get(path)).status_code == 404
    answer = await bob.http.post(path, content=image_archive(), headers=TAR)
    assert answer.status_code == 404
    await bob.http.aclose()
    assert (await ann.http.get(path)).json() == before


async def test_a_user_loads_one_at_a_time_and_a_server_four(
    ann: Caller, lab_server: LabServer
) -> None:
    path = "/api/v1/clusters/demo/images"
    images = lab_server.state["images"]

    async def endless() -> Any:
        yield image_archive(layer_bytes=200_000)[:100_000]
        await asyncio.Event().wait()

    async def under_way(count: int) -> None:
        """Not by asking with an archive: it would take the place of one that is on its way."""
        async with asyncio.timeout(20):
            while len(images._under_way) != count:
                await asyncio.sleep(0.05)

    async def load(caller: Caller) -> httpx.Response:
        return await caller.http.post(path, content=image_archive(), headers=TAR)

    callers = [ann, *[await sign_up(lab_server, name) for name in ("bob", "cas", "dan", "eve")]]
    *four, last = callers
    uploads = []
    try:
        for caller in callers:
            await ready(caller)
        for number, caller in enumerate(four):
            slow = caller.http.post(path, content=endless(), headers=TAR)
            uploads.append(asyncio.create_task(slow))
            await under_way(number + 1)
            refused = await load(caller)
            assert refused.status_code == 429, refused.text
            assert "you are loading an archive already" in refused.json()["detail"]
            if number < len(four) - 1:  # one user takes none of the others' places
                answer = await load(last)
                assert answer.status_code == 201, answer.text
        refused = await load(last)
        assert refused.status_code == 429, refused.text
        assert "by this server" in refused.json()["detail"]
        for each in uploads:
            each.cancel()
        await asyncio.gather(*uploads, return_exceptions=True)
        await under_way(0)
        answer = await load(ann)
        assert answer.status_code == 201, answer.text
    finally:
        for caller in callers[1:]:
            await caller.http.aclose()


async def test_an_archive_may_take_longer_than_other_requests(
    ann: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody else's body is waited for as briefly as before."""
    await ready(ann)
    monkeypatch.setattr(guarded_http, "BODY_SECONDS", 1.0)
    path = "/api/v1/clusters/demo/images"

    async def slowly(data: bytes) -> Any:
        for piece in (data[:5000], data[5000:10_000], data[10_000:]):
            yield piece
            await asyncio.sleep(0.8)

    archive = image_archive()
    answer = await ann.http.post(path, content=slowly(archive), headers=TAR)
    assert answer.status_code == 201, answer.text
    with pytest.raises(httpx.TransportError):
        stranger = {**TAR, "Authorization": ""}
        answer = await ann.http.post("/api/v1/tokens", content=slowly(archive), headers=stranger)
        raise AssertionError(answer.text)
    assert (await ann.http.get("/healthz")).status_code == 200


async def test_the_command_line_loads_lists_and_measures(ann: Caller, tmp_path: Path) -> None:
    await ready(ann)
    shell, token = Shell(tmp_path, ann.base_url), {"PYK8S_TOKEN": ann.token}
    archive = tmp_path / "mine.tar"
    archive.write_bytes(image_archive(NAME))
    done = await shell.run("images", "load", "demo", "--file", str(archive), **token)
    assert (done.code, done.out) == (0, f"{NAME}\n"), done.err
    done = await shell.run("images", "list", "demo", "-o", "name", **token)
    assert NAME in done.out.splitlines()
    done = await shell.run("images", "load", "demo", "-f", str(tmp_path / "none.tar"), **token)
    assert done.code == 1
    assert "No such file" in done.err
    done = await shell.run("images", "load", "demo", **token)
    assert done.code == 2
    done = await shell.run("usage", **token)
    assert done.code == 0, done.err
    shown = done.out.splitlines()[1].split()
    assert shown == ["demo", "ready", "600", "MiB", "0.0", "%", "1.2", "GiB"]


async def test_what_a_cluster_takes_is_measured_as_long_as_it_is_up(ann: Caller) -> None:
    cluster_id = await ready(ann)
    path = f"/api/v1/clusters/{cluster_id}/usage"
    used = (await ann.http.get(path)).json()
    assert used["memory_bytes"] > 0
    assert used["cpu_cores"] == 0
    assert used["disk_bytes"] > 0
    assert used["sample_seconds"] >= 1
    await ann.http.post(f"/api/v1/clusters/{cluster_id}/pause")
    await ann.until(cluster_id, "paused")
    assert (await ann.http.get(path)).status_code == 200
    await ann.http.delete(f"/api/v1/clusters/{cluster_id}")
    await ann.until(cluster_id, "deleted")
    answer = await ann.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_ready")
