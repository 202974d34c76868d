"""A cluster of real kind pulls through the cache. The cache itself is played: it has one image."""

import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from server.drivers.base import AttemptSpec
from server.drivers.docker import DockerEngine
from server.drivers.image_cache import CACHE_LABEL, CacheOptions, ImageCaches, alias_of, hosts_of
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.kind_pieces import network_name
from tests.drivers.conftest import why_no_kind
from tests.drivers.test_contract import make_spec, run

pytestmark = pytest.mark.docker

NOWHERE = "http://nowhere.invalid"
DOCKERFILE = """\
FROM python:3.13-slim
COPY stand_in_registry.py /
CMD ["python", "/stand_in_registry.py"]
"""


def docker(*argv: str) -> str:
    done = subprocess.run(
        ["docker", *argv], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout.strip()


def wait_until_it_listens(cache: str) -> None:
    """A container runs before its program listens, and there is no registry behind the cache."""
    connect = "import socket; socket.create_connection(('127.0.0.1', 5000), 1)"
    until = time.monotonic() + 30
    while True:
        try:
            docker("exec", cache, "python", "-c", connect)
        except AssertionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    context = tmp_path_factory.mktemp("image")
    (context / "Dockerfile").write_text(DOCKERFILE)
    script = Path(__file__).with_name("stand_in_registry.py")
    (context / script.name).write_text(script.read_text())
    name = f"pyk8s-test-cache:{uuid4().hex[:8]}"
    docker("build", "--quiet", "--tag", name, str(context))
    yield name
    docker("rmi", "--force", name)


@pytest.fixture
async def driver(image: str) -> AsyncIterator[KindDriver]:
    instance = f"{uuid4().hex[:8]}-test"
    made = KindDriver(KindOptions(instance, cache=CacheOptions({"docker.io": NOWHERE}, image)))
    yield made
    for kind in ("container", "volume"):
        every = ["--all"] if kind == "container" else []
        found = docker(
            kind, "ls", *every, "--quiet", "--filter", f"label=pyk8s.instance={instance}"
        )
        for each in found.split():
            docker(kind, "rm", "--force", each)
    await made.close()


async def built(driver: KindDriver, tmp_path: Path) -> AttemptSpec:
    spec = await make_spec(driver, tmp_path)
    ran = await run(await driver.prepare(spec))
    assert ran.code == 0, ran.lines
    await driver.finish(spec)
    return spec


async def test_nodes_pull_through_the_cache_and_it_leaves_with_the_cluster(
    driver: KindDriver, tmp_path: Path
) -> None:
    spec = await built(driver, tmp_path)
    cache = f"{alias_of('docker.io')}-{driver._options.instance[:8]}"
    node = f"{spec.kind_name}-control-plane"
    try:
        docker("exec", node, "crictl", "pull", "docker.io/library/served:1")
        names = {name for each in await driver.images(spec.attempt_id) for name in each.names}
        assert "docker.io/library/served:1" in names
        check = next(each for each in (await driver.facts()).checks if each.name == "image_cache")
        assert check.ok, check

        docker("kill", cache)
        await driver.keep_reachable([spec.attempt_id])
        check = next(each for each in (await driver.facts()).checks if each.name == "image_cache")
        assert not check.ok
        assert "had ended with 137" in check.detail
        assert docker("inspect", "-f", "{{.State.Running}}", cache) == "true"
        await driver.keep_reachable([spec.attempt_id])
        wait_until_it_listens(cache)
        docker("exec", node, "crictl", "rmi", "docker.io/library/served:1")
        docker("exec", node, "crictl", "pull", "docker.io/library/served:1")
    finally:
        await driver.delete(spec.attempt_id, spec.directory)
    assert "bridge" in docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", cache)
    assert await driver.list_attempts() == []


async def test_a_cache_forwards_no_packets_and_one_that_stores_too_much_is_emptied(
    image: str, tmp_path: Path
) -> None:
    instance, attempt_id = f"{uuid4().hex[:8]}-test", uuid4()
    cache = f"{alias_of('docker.io')}-{instance[:8]}"
    options = CacheOptions({"docker.io": NOWHERE}, image, most_bytes=1024**2)
    engine, now = DockerEngine(), 0.0
    caches = ImageCaches(engine, instance, options, clock=lambda: now)
    network = network_name(attempt_id)
    docker("network", "create", network)
    docker("volume", "create", cache)
    docker("create", "--name", cache, "--label", f"pyk8s.instance={instance}",
           "--label", f"{CACHE_LABEL}=docker.io", "--volume", f"{cache}:/var/lib/registry",
           image)  # as an older version has made it  # fmt: skip
    try:
        await caches.offer([attempt_id])
        assert docker("exec", cache, "cat", "/proc/sys/net/ipv4/ip_forward") == "0"
        shown = json.loads(docker("inspect", "-f", "{{json .HostConfig}}", cache))
        assert shown["ReadonlyRootfs"]
        assert min(shown["PidsLimit"], shown["Memory"]) > 0
        assert network in docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", cache)
        first = docker("inspect", "-f", "{{.Id}}", cache)

        docker("exec", cache, "sh", "-c", "head -c 3000000 /dev/zero > /var/lib/registry/blob")
        await caches.offer([attempt_id])
        assert docker("inspect", "-f", "{{.Id}}", cache) == first  # it is not measured each time
        now = 3600.0
        await caches.offer([attempt_id])
        await caches.offer([attempt_id])
        assert docker("inspect", "-f", "{{.Id}}", cache) != first
        assert docker("exec", cache, "ls", "/var/lib/registry") == ""
        assert network in docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", cache)
    finally:
        await engine.close()
        docker("rm", "-f", cache)
        docker("volume", "rm", "-f", cache)
        docker("network", "rm", network)


def test_containerd_is_told_the_cache_first_and_the_registry_after_it() -> None:
    assert hosts_of("docker.io", "https://registry-1.docker.io") == (
        'server = "https://registry-1.docker.io"\n'
        "\n"
        '[host."http://pyk8s-cache-docker-io:5000"]\n'
        '  capabilities = ["pull", "resolve"]\n'
    )
