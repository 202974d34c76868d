"""The reconciler on a real Docker: real orphans, and a real cluster that loses its node."""

import json
from dataclasses import dataclass
from uuid import UUID, uuid4

import anyio
import pytest
import uuid_utils.compat as uuids

from pyk8s.wire.cluster import Phase
from server.drivers.base import kind_name
from server.drivers.docker import CLUSTER_LABEL
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.kind_pieces import ATTEMPT_LABEL, INSTANCE_LABEL, network_name
from tests.drivers.conftest import why_no_kind
from tests.integration.provisioner.conftest import Lab, eventually
from tests.integration.provisioner.test_failures import all_done
from tests.integration.provisioner.test_reconciler import has_reason

pytestmark = [pytest.mark.docker, pytest.mark.timeout(360)]


async def docker(*argv: str, check: bool = True) -> str:
    with anyio.fail_after(60):
        done = await anyio.run_process(["docker", *argv], check=check)
    return done.stdout.decode().strip()


@dataclass
class Installation:
    """What is labelled as of one installation, in a lab of its own."""

    lab: Lab
    instance: str

    async def leave(self, attempt_id: UUID, instance: str) -> tuple[str, str]:
        """Make a network and a container as an attempt leaves them."""
        network = await docker(
            "network", "create", network_name(attempt_id),
            "--label", f"{INSTANCE_LABEL}={instance}",
            "--label", f"{ATTEMPT_LABEL}={attempt_id}",
        )  # fmt: skip
        image = (await docker("image", "ls", "kindest/node", "-q")).splitlines()[0]
        container = await docker(
            "create", "--name", f"{kind_name(attempt_id)}-control-plane",
            "--label", f"{CLUSTER_LABEL}={kind_name(attempt_id)}",
            "--network", network_name(attempt_id), "--volume", "/var", image,
        )  # fmt: skip
        return network, container


@pytest.fixture
def real(lab: Lab) -> Installation:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    installation = Installation(lab, f"test-{uuid4().hex[:12]}")
    lab.sweep_seconds = 0.5
    lab.make_driver = lambda: KindDriver(KindOptions(instance=installation.instance))
    return installation


async def exists(kind: str, name: str) -> bool:
    return bool(await docker(kind, "inspect", "--format", "ok", name, check=False))


async def test_real_orphans_go_and_those_of_others_stay(real: Installation) -> None:
    ours = await real.leave(uuids.uuid7(), real.instance)
    theirs = await real.leave(uuids.uuid7(), f"test-{uuid4().hex[:12]}")
    volume = json.loads(await docker("container", "inspect", ours[1]))[0]["Mounts"][0]["Name"]
    try:
        async with real.lab.running():

            async def gone() -> bool:
                return not await exists("network", ours[0]) and not await exists(
                    "container", ours[1]
                )

            await eventually(gone, 60)
        assert not await exists("volume", volume)
        assert await exists("network", theirs[0])
        assert await exists("container", theirs[1])
    finally:
        await docker("rm", "-f", "-v", ours[1], theirs[1], check=False)
        await docker("network", "rm", ours[0], theirs[0], check=False)


async def test_a_node_that_docker_made_after_the_removal_goes(real: Installation) -> None:
    """Docker finishes a `docker run` whose client is dead: no network tells whose it is."""
    lab = real.lab
    async with lab.running():
        await lab.reaches(await lab.ask(version="v1.0.99"), Phase.FAILED, seconds=60)
        await all_done(lab)
        name = kind_name(await lab.scalar("SELECT id FROM attempts"))
        image = (await docker("image", "ls", "kindest/node", "-q")).splitlines()[0]
        late = await docker(
            "create", "--name", f"{name}-control-plane", "--label", f"{CLUSTER_LABEL}={name}",
            "--network", "none", "--volume", "/var", image,
        )  # fmt: skip
        try:
            volume = json.loads(await docker("container", "inspect", late))[0]["Mounts"][0]["Name"]

            async def gone() -> bool:
                return not await exists("container", late) and not await exists("volume", volume)

            await eventually(gone, 60)
        finally:
            await docker("rm", "-f", "-v", late, check=False)


async def test_a_real_cluster_whose_node_is_stopped_started_and_lost(real: Installation) -> None:
    lab = real.lab
    driver = lab.driver
    version = (await driver.facts()).default_kubernetes_version
    await driver.close()
    cluster_id = await lab.ask(version=version)
    async with lab.running():
        try:
            await lab.reaches(cluster_id, Phase.READY, seconds=110)
            node = f"{kind_name(await lab.scalar('SELECT id FROM attempts'))}-control-plane"
            await docker("kill", node)
            await has_reason(lab, cluster_id, "NodesStopped")
            await docker("start", node)
            back = await has_reason(lab, cluster_id, "NodesRunning", seconds=90)
            assert back.status == "True"
            await docker("rm", "-f", "-v", node)
            cluster = await lab.reaches(cluster_id, Phase.FAILED, seconds=60)
            assert cluster.failure is not None
            assert cluster.failure.code == "nodes_gone"
        finally:
            await lab.ask_to_delete(cluster_id)
            await lab.reaches(cluster_id, Phase.DELETED, seconds=60)
    driver = lab.driver
    try:
        assert await driver.list_attempts() == []
    finally:
        await driver.close()
