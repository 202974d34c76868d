"""A site whose clusters are real: `python -m server` with kind and Docker, and no stand-ins."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from server.drivers.base import Found
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.log_lines import clean_text
from server.provisioner import launch
from server.provisioner.spool import records_of
from tests.faults.site import Site, eventually


class RealSite(Site):
    """Made by `real_site`."""

    async def phase(self, purpose: str, phase: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until a cluster is in a phase."""

        async def is_there() -> bool:
            cluster = await self.get(self.clusters[purpose])
            assert (cluster["phase"], phase) != ("failed", "ready"), cluster["failure"]
            return bool(cluster["phase"] == phase)

        await eventually(is_there, seconds)
        return await self.get(self.clusters[purpose])

    async def has_line(self, purpose: str, start: str, seconds: float = 60) -> None:
        """Wait until the log of a cluster has a line that begins so."""

        async def is_there() -> bool:
            return any(line[2:].startswith(start) for line in await self.lines(purpose))

        await eventually(is_there, seconds)

    async def lines(self, purpose: str) -> list[str]:
        """Give what kind said, as the log has it: `o text` or `e text`."""
        rows = await self.database.fetch(
            "SELECT data->>'stream' AS stream, data->>'text' AS text FROM event_log "
            "WHERE cluster_id = $1 AND type = 'log_line' ORDER BY seq",
            UUID(self.clusters[purpose]),
        )
        names = {"stdout": "o", "stderr": "e"}
        return [f"{names[r['stream']]} {r['text']}" for r in rows if r["stream"] in names]

    def directory(self, attempt_id: UUID) -> Path:
        return self.path / "data" / "attempts" / str(attempt_id)

    def spooled(self, attempt_id: UUID) -> list[str]:
        """Give what kind said, as the runner has written it down."""
        data = (self.directory(attempt_id) / "spool").read_bytes()
        return [
            f"{record.kind} {_cleaned(record.raw)}"
            for record in records_of(data[: data.rfind(b"\n") + 1], 0)
            if record.kind in "oe"
        ]

    async def attempts(self, purpose: str) -> list[asyncpg.Record]:
        """Give the tries of a cluster, the first one first."""
        rows: list[asyncpg.Record] = await self.database.fetch(
            "SELECT id, outcome, removed_at FROM attempts WHERE cluster_id = $1 ORDER BY number",
            UUID(self.clusters[purpose]),
        )
        return rows

    async def pieces(self) -> list[Found]:
        """Find what is left of any attempt of this site: containers, volumes, networks."""
        known = [row["id"] for row in await self.database.fetch("SELECT id FROM attempts")]
        host_id = self.path / "data" / "host-id"
        if not host_id.exists():
            return []
        driver = self.driver()
        try:
            return list(await driver.list_attempts(known))
        finally:
            await driver.close()

    def driver(self) -> KindDriver:
        """Give what finds and removes the pieces of this site."""
        instance = (self.path / "data" / "host-id").read_text().strip()
        url = self.environment.get("PYK8S_DOCKER_URL")
        return KindDriver(KindOptions(instance=instance, docker_url=url))

    async def check_nothing_left(self) -> None:
        """See that no piece, directory or process of any cluster is there any more."""

        async def is_clean() -> bool:
            return not self.processes()

        with contextlib.suppress(TimeoutError):  # what ends, ends soon
            await eventually(is_clean, 15)
        assert self.processes() == {}
        assert await self.pieces() == []
        assert list((self.path / "data" / "attempts").glob("*-*")) == []

    async def remove_everything(self) -> None:
        """Remove what a test that failed has left."""
        for found in await self.pieces():
            directory = self.directory(found.attempt_id)
            await launch.stop(directory, grace_seconds=0.2)
            driver = self.driver()
            await driver.delete(found.attempt_id, directory)
            await driver.close()


@contextlib.asynccontextmanager
async def real_site(database_url: str, **settings: str) -> AsyncIterator[RealSite]:
    """Set everything up; the server is not started. At the end nothing of it is there."""
    path = Path(tempfile.mkdtemp(prefix="pyk8s-site-"))
    database = await asyncpg.connect(database_url)
    passed_on = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
    environment = passed_on | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYK8S_DATA_DIR": str(path / "data"),
        "PYK8S_DATABASE_URL": database_url,
        "PYK8S_DRIVER": "kind",
        "PYK8S_CLUSTER_ISOLATION": "off",  # rules on this host outlive a server
        "PYK8S_PROXY_PORT": "0",
        "PYK8S_APPS_PORT": "0",
        "PYK8S_SIGNUP": "open",
        "PYK8S_HOST_NAME": "real-site",
        "PYK8S_LOG_FORMAT": "json",
        "PYK8S_MIGRATE": "off",
    }
    site = RealSite(path, database, environment | settings)
    try:
        yield site
    finally:
        await site.server.kill()
        await site.http.aclose()
        site.end_runners()
        await site.remove_everything()
        await database.close(timeout=5)
        shutil.rmtree(path, ignore_errors=True)


def _cleaned(raw: bytes) -> str:
    return clean_text(raw).removesuffix("\n")
