"""What the kind driver does with Docker itself, tried on a real one."""

import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import run
from uuid import UUID, uuid4

import pytest
import uuid_utils.compat as uuids

from server.drivers import kind_pause
from server.drivers.base import AttemptSpec, kind_name
from server.drivers.docker import CLUSTER_LABEL, Container, DockerEngine, SubnetTaken
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.kind_pieces import network_name
from server.drivers.node_volumes import NodeVolumes
from tests.drivers.conftest import why_no_kind
from tests.drivers.test_contract import make_spec
from tests.drivers.test_contract import run as run_command

pytestmark = pytest.mark.docker

VOLUMES = '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}'


def docker(*arguments: str) -> str:
    done = run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def needed() -> None:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    made = DockerEngine()
    yield made
    await made.close()


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a container that stands for the one in which the server runs, in a network of its own."""
    image = docker("image", "ls", "-q", "kindest/node").splitlines()[0]
    home = docker("network", "create", f"test-{uuid4().hex[:12]}_default")
    try:
        run_it = ("run", "-d", "--rm", "--network", home, "--entrypoint", "sleep", image, "300")
        made = docker(*run_it)
        monkeypatch.setattr(socket, "gethostname", lambda: made[:12])
        yield made
        docker("rm", "-f", made)
    finally:
        docker("network", "rm", home)


def default_route(container: str) -> list[str]:
    """Where the container's answers to the world go out."""
    routes = docker("exec", container, "cat", "/proc/net/route").splitlines()
    return next(line.split()[:3] for line in routes if line.split()[1] == "00000000")


def networks_of(container: str) -> set[str]:
    return set(json.loads(docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", container)))


async def test_a_server_in_a_container_joins_and_is_no_obstacle_to_deleting(
    engine: DockerEngine, container: str, tmp_path: Path
) -> None:
    driver = KindDriver(KindOptions(instance=f"test-{uuid4().hex[:12]}", in_container=True))
    spec = AttemptSpec(
        attempt_id=uuid4(),
        cluster_id=uuid4(),
        directory=tmp_path / "attempt",
        kubernetes_version="v1.0.0",
        control_planes=1,
        workers=0,
        template="default",
    )
    network = network_name(spec.attempt_id)
    try:
        route = default_route(container)
        await driver.prepare(spec)
        assert network not in await engine.joined()
        await engine.join(network)
        await engine.join(network)
        assert network in networks_of(container)
        assert set(await engine.joined()) == networks_of(container)
        docker("network", "disconnect", network, container)  # as if it had been made anew
        await driver.keep_reachable([spec.attempt_id])
        assert network in networks_of(container)
        assert default_route(container) == route
    finally:
        await driver.delete(spec.attempt_id, spec.directory)
        await driver.close()
    assert network not in networks_of(container)
    assert network not in docker("network", "ls", "--format", "{{.Name}}").splitlines()


async def test_a_range_that_another_network_has_is_told_apart(engine: DockerEngine) -> None:
    mark = uuid4().hex[:12]
    try:
        await engine.create_network(f"test-{mark}-a", "10.211.99.0/27", {"pyk8s.test": mark})
        with pytest.raises(SubnetTaken):
            await engine.create_network(f"test-{mark}-b", "10.211.99.0/28", {"pyk8s.test": mark})
    finally:
        for network in await engine.networks(**{"pyk8s.test": mark}):
            assert network.subnets == ("10.211.99.0/27",)
            await engine.remove_network(network)
            await engine.remove_network(network)
    assert await engine.networks(**{"pyk8s.test": mark}) == []


@pytest.fixture
def frozen_node() -> Iterator[tuple[UUID, str]]:
    """Run a node whose process is frozen as a runc in it would leave a pod; give its id too."""
    if not Path("/sys/fs/cgroup/freezer").is_dir():
        pytest.skip("this host has cgroup v2, where KILL ends what is frozen")
    if os.geteuid() != 0:
        pytest.skip("only root may freeze a process of a container")
    attempt_id = uuids.uuid7()
    name = kind_name(attempt_id)
    image = docker("image", "ls", "-q", "kindest/node").splitlines()[0]
    made = docker(
        "run", "-d", "--name", f"{name}-control-plane", "--label", f"{CLUSTER_LABEL}={name}",
        "--network", "none", "--entrypoint", "sleep", image, "300",
    )  # fmt: skip
    pid = docker("inspect", "--format", "{{.State.Pid}}", made)
    cgroups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    [own] = [line.split(":", 2)[2] for line in cgroups if ":freezer:" in line]
    pod = Path(f"/sys/fs/cgroup/freezer{own}/pod")
    pod.mkdir()
    (pod / "cgroup.procs").write_text(pid)
    (pod / "freezer.state").write_text("FROZEN")
    yield attempt_id, made
    if pod.exists():
        (pod / "freezer.state").write_text("THAWED")
    run(["docker", "rm", "-f", "-v", made], capture_output=True, timeout=60, check=False)


async def test_a_node_that_cannot_be_killed_because_it_is_frozen_is_removed(
    frozen_node: tuple[UUID, str], tmp_path: Path
) -> None:
    attempt_id, container = frozen_node
    driver = KindDriver(KindOptions(instance="test"))
    try:
        await driver.delete(attempt_id, tmp_path / "attempt")
    finally:
        await driver.close()
    listed = docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"id={container}")
    assert listed == ""


async def test_the_volume_of_a_node_that_somebody_removed_goes_with_the_cluster(
    tmp_path: Path,
) -> None:
    options = KindOptions(instance=f"test-{uuid4().hex[:12]}")
    driver = KindDriver(options)
    spec = await make_spec(driver, tmp_path)
    try:
        ran = await run_command(await driver.prepare(spec))
        assert ran.code == 0, ran.lines
        await driver.finish(spec)
        node = f"{spec.kind_name}-control-plane"
        [volume] = docker("inspect", "-f", VOLUMES, node).split()
        docker("rm", "-f", node)
        assert docker("volume", "ls", "-q", "--filter", f"name={volume}") == volume
    finally:
        await driver.close()
        another = KindDriver(options)  # a server that has seen none of it
        await another.delete(spec.attempt_id, spec.directory)
        await another.close()
    assert docker("volume", "ls", "-q", "--filter", f"name={volume}") == ""


async def test_volumes_that_a_sweep_has_seen_go_too_but_not_from_under_another_container(
    engine: DockerEngine, tmp_path: Path
) -> None:
    attempt_id, seen, used = uuid4(), f"test-{uuid4().hex}", f"test-{uuid4().hex}"
    volumes = NodeVolumes(engine)
    volumes.saw(attempt_id, [seen, used, f"test-{uuid4().hex}"])
    image = docker("image", "ls", "-q", "kindest/node").splitlines()[0]
    docker("volume", "create", seen)
    other = docker("create", "--volume", f"{used}:/data", "--entrypoint", "true", image)
    try:
        await volumes.remove(attempt_id, tmp_path)
        assert docker("volume", "ls", "-q", "--filter", f"name={seen}") == ""
        assert docker("volume", "ls", "-q", "--filter", f"name={used}") == used
    finally:
        docker("rm", "-f", other)
        docker("volume", "rm", used)


class LaggingEngine(DockerEngine):
    """Lists nodes that have just ended as running, as Docker does for a moment after a stop."""

    async def nodes(self, cluster: str | None = None) -> list[Container]:
        return [replace(each, state="running") for each in await super().nodes(cluster)]


async def test_a_node_that_ended_a_moment_ago_is_started() -> None:
    name = kind_name(uuid4())
    image = docker("image", "ls", "-q", "kindest/node").splitlines()[0]
    node = docker(
        "run", "-d", "--label", f"{CLUSTER_LABEL}={name}", "--network", "none",
        "--entrypoint", "sleep", image, "300",
    )  # fmt: skip
    lagging = LaggingEngine()
    try:
        docker("kill", node)
        docker("wait", node)
        await kind_pause.wake(lagging, name)
        assert docker("inspect", "-f", "{{.State.Running}}", node) == "true"
    finally:
        await lagging.close()
        docker("rm", "-f", "-v", node)
