"""What the kind driver does with Docker itself, tried on a real one."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from subprocess import run
from uuid import uuid4

import pytest

from server.drivers.base import AttemptSpec
from server.drivers.docker import DockerEngine, SubnetTaken
from server.drivers.kind import KindDriver, KindOptions, network_name
from tests.drivers.conftest import why_no_kind

pytestmark = pytest.mark.docker


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
        await engine.join(network)
        await engine.join(network)
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
