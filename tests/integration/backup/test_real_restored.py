"""A real cluster outlives its server: a kubeconfig from before works at the restored one."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio
import asyncpg
import httpx
import pytest

from server.drivers.kind import KindDriver, KindOptions
from server.store.embedded import EmbeddedPostgres
from tests.drivers.conftest import why_no_kind
from tests.faults.real import RealSite
from tests.faults.site import ServerProcess, eventually
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

REPOSITORY: Final = Path(__file__).parents[3]
READY_SECONDS: Final = 180


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    """A folder for two data directories."""
    if (reason := why_no_kind()) is not None:
        pytest.skip(reason)
    path = Path(tempfile.mkdtemp(prefix="pyk8s-moved-"))
    yield path
    for name in ("old", "new"):
        await EmbeddedPostgres(path / name / "data").remove()
    shutil.rmtree(path)


def site_in(path: Path, environment: dict[str, str], http: httpx.AsyncClient) -> RealSite:
    path.mkdir()
    no_database: asyncpg.Connection = None
    site = RealSite(path, no_database, environment | {"PYK8S_DATA_DIR": str(path / "data")})
    site.http = http
    site.server = ServerProcess(site, int(environment["PYK8S_PORT"]))
    return site


async def admin(site: RealSite, *argv: str) -> None:
    done = await anyio.run_process(
        ["python", "-m", "pyk8s", "admin", *argv], env=site.environment, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


async def nodes(kubeconfig: Path) -> str:
    argv = ["kubectl", "--kubeconfig", str(kubeconfig), "get", "nodes", "-o", "name"]
    done = await anyio.run_process(argv, check=False)
    return (done.stdout or done.stderr).decode().strip()


async def test_a_kubeconfig_from_before_works_after_a_restore(folder: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(REPOSITORY),
        "PYK8S_DRIVER": "kind",
        "PYK8S_PORT": str(free_port()),
        "PYK8S_PROXY_PORT": str(free_port()),
        "PYK8S_APPS_PORT": "0",
        "PYK8S_NETWORK_POOL": "10.223.0.0/16",
        "PYK8S_IMAGE_CACHE": "off",
        "PYK8S_CLUSTER_ISOLATION": "off",  # rules on this host outlive a server
        "PYK8S_HOST_NAME": "moved",
        "PYK8S_LOG_FORMAT": "json",
    }
    kubeconfig, file = folder / "kubeconfig", folder / "lab.backup"
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        old = site_in(folder / "old", environment, http)
        new = site_in(folder / "new", environment, http)
        instance = ""
        try:
            await old.server.start()
            await sign_up(old)
            cluster_id = await old.create("moved")
            new.clusters = old.clusters
            await old.phase("moved", "ready", READY_SECONDS)
            base = f"{old.server.url}/api/v1/clusters/{cluster_id}"
            kubeconfig.write_text((await http.get(f"{base}/kubeconfig")).text)
            told = await nodes(kubeconfig)
            assert told.startswith("node/"), told
            instance = (old.path / "data" / "host-id").read_text().strip()

            await admin(old, "backup", str(file))
            await old.server.kill()
            await EmbeddedPostgres(old.path / "data").stop()
            await admin(new, "restore", str(file))
            shutil.rmtree(old.path / "data" / "attempts")  # that machine is gone

            await new.server.start()

            async def answers() -> bool:
                return await nodes(kubeconfig) == told

            await eventually(answers, 60)
            assert (await new.get(cluster_id))["phase"] == "ready"
            drift = (await http.get(f"{new.server.url}/api/v1/admin/drift")).json()
            assert [host["differences"] for host in drift["items"]] == [[]]
            await new.delete(cluster_id)
            await new.phase("moved", "deleted", 90)
            assert await nodes(kubeconfig) != told
            async with asyncio.timeout(60):
                driver = KindDriver(KindOptions(instance=instance))
                assert not await driver.list_attempts([])
                await driver.close()
        finally:
            for site in (old, new):
                await site.server.kill()
                site.end_runners()
            if instance:
                await remove_all(instance, new.path / "data" / "attempts")


async def sign_up(site: RealSite) -> None:
    """Register; the session's cookie has every right."""
    account = {"username": "ann", "password": "correct horse battery"}
    answer = await site.http.post(f"{site.server.url}/api/v1/auth/register", json=account)
    assert answer.status_code == 201, answer.text


async def remove_all(instance: str, attempts: Path) -> None:
    """Remove what a test that failed has left."""
    driver = KindDriver(KindOptions(instance=instance))
    for found in await driver.list_attempts([]):
        await driver.delete(found.attempt_id, attempts / str(found.attempt_id))
    await driver.close()
