"""The same with clusters that are real."""

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final
from uuid import UUID, uuid4

import anyio
import pytest

from pyk8s.wire.cluster import Phase, Step
from pyk8s.wire.events import AttemptStartedEvent, StepFinishedEvent, StepStartedEvent
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.kind_output import plan
from server.drivers.kube_identity import PEOPLE
from server.kube.upstream import Upstreams
from server.store import access
from tests.drivers.conftest import why_no_kind
from tests.integration.provisioner.conftest import Lab, eventually
from tests.integration.provisioner.test_evidence import archive_of
from tests.integration.provisioner.test_failures import all_done, processes_in

pytestmark = pytest.mark.docker

STEPS: Final = plan(control_planes=1, workers=0, is_tuned=True)
REMOVED_SECONDS: Final = 60.0
"""Mostly it takes 3: TERM, and kind's own delete. A node that Docker cannot kill takes 30."""


@pytest.fixture
def real(lab: Lab) -> Lab:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    instance = f"test-{uuid4().hex[:12]}"
    lab.make_driver = lambda: KindDriver(KindOptions(instance=instance))
    return lab


async def nothing_left(lab: Lab) -> None:
    known = await lab.scalar("SELECT array_agg(id) FROM attempts") or []
    driver = lab.driver

    async def none() -> bool:
        return not await driver.list_attempts(known)

    try:
        await eventually(none, 30)  # Docker may make a node after all; a sweep removes it
    finally:
        await driver.close()


async def test_a_real_cluster_survives_a_stop_of_the_server_while_it_is_made(real: Lab) -> None:
    driver = real.driver
    version = (await driver.facts()).default_kubernetes_version
    await driver.close()
    cluster_id = await real.ask(version=version)
    try:
        async with real.running():
            await real.has_line(cluster_id, " • Starting control-plane", seconds=60)
        assert (await real.cluster(cluster_id)).phase is Phase.PROVISIONING
        async with real.running():
            await real.reaches(cluster_id, Phase.READY, seconds=100)
            events = await real.events(cluster_id)
            ended = [event.data.step for event in events if isinstance(event, StepFinishedEvent)]
            assert ended == list(STEPS)
            attempts = [event for event in events if isinstance(event, AttemptStartedEvent)]
            assert len(attempts) == 1
            async with real.database.reading() as session:
                way = await access.way_into(session, cluster_id)
            assert way is not None
            await people_come_in_under_their_names(real, cluster_id, way.attempt_id)
            written = real.data_dir / "attempts" / str(way.attempt_id) / "kubeconfig"

            async def is_gone() -> bool:
                return not written.exists()

            await eventually(is_gone)
            kubeconfig = real.data_dir / "kubeconfig"
            kubeconfig.write_bytes(real.sealer.open(way.sealed_kubeconfig))
            kubectl = ["kubectl", "--kubeconfig", str(kubeconfig), "-n", "kube-system", "get"]
            with anyio.fail_after(30):
                listed = await anyio.run_process([*kubectl, "secrets"])
            assert b"bootstrap-token-abcdef" not in listed.stdout
    finally:
        async with real.running():
            await real.ask_to_delete(cluster_id)
            await real.reaches(cluster_id, Phase.DELETED, seconds=60)
    await nothing_left(real)


async def people_come_in_under_their_names(real: Lab, cluster_id: UUID, attempt_id: UUID) -> None:
    """The proxy may speak for people of one group, and do nothing else."""
    who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    ann = {"Impersonate-User": "ann", "Impersonate-Group": PEOPLE}
    async with aclosing(Upstreams(real.database, real.sealer)) as upstreams:
        people = await upstreams.for_people(cluster_id, attempt_id)

        async def ask(path: str, headers: dict[str, str]) -> int:
            async with people.session.get(people.url + path, headers=headers) as answer:
                return answer.status

        async with people.session.post(people.url + reviews, json=who, headers=ann) as answer:
            told = (await answer.json())["status"]["userInfo"]
        assert (told["username"], told["groups"]) == ("ann", [PEOPLE, "system:authenticated"])
        assert await ask("/api/v1/nodes", ann) == 200
        assert await ask("/api/v1/nodes", {}) == 403
        assert await ask("/api/v1/nodes", ann | {"Impersonate-Group": "system:masters"}) == 403
        admin = await upstreams.of(cluster_id)
        async with admin.session.get(f"{admin.url}/api/v1/nodes") as answer:
            assert answer.status == 200


async def test_a_node_image_that_cannot_be_had_is_explained(real: Lab) -> None:
    cluster_id = await real.ask(version="v1.0.99")
    async with real.running():
        cluster = await real.reaches(cluster_id, Phase.FAILED, seconds=60)
        assert cluster.failure is not None
        assert cluster.failure.code == "image_missing"
        assert any("kindest/node:v1.0.99" in line.text for line in cluster.failure.evidence)

        async def removed() -> bool:
            return bool(await real.scalar("SELECT count(*) = 0 FROM jobs WHERE state <> 'done'"))

        await eventually(removed, 60)
    await nothing_left(real)
    files = await archive_of(real, cluster_id)
    assert files is not None
    assert json.loads(files["evidence/docker.json"])["ServerVersion"]
    assert json.loads(files["evidence/host.json"])["memory_total"] > 0
    assert files["evidence/nodes.txt"] == "there is no node\n"
    assert "kindest/node:v1.0.99" in files["evidence/create.log"]
    assert "code: image_missing" in files["evidence/explanation.txt"]


@pytest.fixture
async def hollow_image() -> AsyncIterator[str]:
    """Make a node image that cannot boot; give its Kubernetes version."""
    version = f"v1.0.{uuid4().int % 100_000}"
    name = f"kindest/node:{version}"
    change = ["--change", 'ENTRYPOINT ["/usr/local/bin/entrypoint"]']
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    with anyio.fail_after(30):
        await anyio.run_process(["docker", "import", *change, "-", name], input=empty.getvalue())
    yield version
    with anyio.fail_after(30):
        await anyio.run_process(["docker", "image", "rm", "--force", name])


async def test_a_node_image_that_cannot_boot_is_explained(real: Lab, hollow_image: str) -> None:
    cluster_id = await real.ask(version=hollow_image)
    async with real.running():
        cluster = await real.reaches(cluster_id, Phase.FAILED, seconds=90)
        assert cluster.failure is not None
        assert cluster.failure.code == "image_not_a_node"
        assert cluster.failure.docs == "docs/howto/troubleshoot.md#image_not_a_node"

        async def removed() -> bool:
            return bool(await real.scalar("SELECT count(*) = 0 FROM jobs WHERE state <> 'done'"))

        await eventually(removed, 60)
    await nothing_left(real)
    files = await archive_of(real, cluster_id)
    assert files is not None
    [state] = [text for name, text in files.items() if name.endswith("/inspect.json")]
    assert json.loads(state)["State"]["Running"] is False


@pytest.mark.timeout(420)
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((Step.NODES, Step.CONTROL_PLANE), id="two-steps"),
        pytest.param(STEPS, id="each-step", marks=pytest.mark.long),
    ],
)
async def test_cancelled_as_a_step_begins_nothing_is_left(
    real: Lab, steps: tuple[Step, ...]
) -> None:
    driver = real.driver
    version = (await driver.facts()).default_kubernetes_version
    await driver.close()
    async with real.running():
        asked = {step: await real.ask(version=version) for step in steps}
        try:
            await asyncio.gather(*(cancel_at(real, asked[step], step) for step in steps))
            await all_done(real)
            await nothing_left(real)
            assert processes_in(real.data_dir) == []
            assert list((real.data_dir / "attempts").glob("*-*")) == []
        finally:
            for cluster_id in asked.values():
                await real.ask_to_delete(cluster_id)
            for cluster_id in asked.values():
                await real.reaches(cluster_id, Phase.DELETED, seconds=60)


async def cancel_at(lab: Lab, cluster_id: UUID, step: Step) -> None:
    """Cancel a create as soon as it is at a step; see that it is so at once, and nothing stays."""

    async def begun() -> bool:
        events = await lab.events(cluster_id)
        return any(isinstance(each, StepStartedEvent) and each.data.step is step for each in events)

    await eventually(begun, 300)  # it may have to wait for others
    volumes = await volumes_of(lab, cluster_id)
    cancelled = await lab.cancel(cluster_id)
    assert cancelled.phase is Phase.FAILED
    assert cancelled.failure is not None
    assert cancelled.failure.code == "cancelled"
    assert cancelled.conditions[0].reason == "Cancelled"

    async def removed() -> bool:
        query = "SELECT count(*) = 0 FROM jobs WHERE state <> 'done' AND cluster_id = :id"
        return bool(await lab.scalar(query, id=cluster_id))

    await eventually(removed, REMOVED_SECONDS)
    assert await lab.scalar(
        "SELECT outcome FROM attempts WHERE cluster_id = :id", id=cluster_id
    ) == ("cancelled")
    after = await lab.cluster(cluster_id)
    assert (after.phase, after.failure) == (Phase.FAILED, cancelled.failure)
    # Docker lists a container no more as soon as it removes it, and its volumes a moment later.
    await eventually(lambda: are_gone(volumes), 30)


async def are_gone(volumes: list[str]) -> bool:
    with anyio.fail_after(30):
        listed = await anyio.run_process(["docker", "volume", "ls", "--quiet"])
    return not set(volumes) & set(listed.stdout.decode().split())


async def volumes_of(lab: Lab, cluster_id: UUID) -> list[str]:
    attempt_id = await lab.scalar("SELECT id FROM attempts WHERE cluster_id = :id", id=cluster_id)
    driver = lab.driver
    try:
        pieces = [p for each in await driver.list_attempts([attempt_id]) for p in each.pieces]
    finally:
        await driver.close()
    return [piece.removeprefix("volume ") for piece in pieces if piece.startswith("volume ")]
