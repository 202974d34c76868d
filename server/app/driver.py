"""Which driver makes clusters here; the only place that names concrete ones."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from pyk8s.wire.service import Check
from server.config import Settings
from server.drivers.base import Driver, DriverError
from server.drivers.image_cache import CacheOptions
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.node_limits import LimitOptions
from server.drivers.simulated import SimulatedDriver
from server.errors import StartFailed
from server.provisioner.provisioner import host_id_of
from server.telemetry import get_logger

log = get_logger(__name__)


@asynccontextmanager
async def driver_of(settings: Settings) -> AsyncIterator[Driver | None]:
    """Give the driver of a provisioner; None: this process is none."""
    driver = await choose_driver(settings) if settings.plays("provisioner") else None
    try:
        yield driver
    finally:
        if driver is not None:
            await driver.close()


async def choose_driver(settings: Settings) -> Driver:
    """Give what makes clusters here: `auto` means kind wherever kind can work.

    Raises:
        StartFailed: kind was asked for by name, and it is missing.
    """
    if settings.driver == "simulated":
        return simulated(settings, ())
    try:
        kind = KindDriver(
            KindOptions(
                instance=str(await anyio.to_thread.run_sync(host_id_of, settings.data_dir)),
                network_pool=settings.network_pool,
                node_image=settings.node_image,
                docker_url=settings.docker_url,
                kind_path=settings.kind_path,
                in_container=settings.in_container,
                cache=CacheOptions(
                    settings.cached_registries,
                    settings.image_cache_image,
                    settings.image_cache_bytes,
                ),
                is_isolated=settings.cluster_isolation == "on",
                limits=LimitOptions(
                    settings.node_memory_bytes, settings.node_pids, settings.node_cpus
                ),
            )
        )
    except DriverError as error:
        why = error.explanation
        if settings.driver == "kind":
            raise StartFailed(f"{why.title}: {why.cause}", fix=why.fix) from error
        missing = Check(name="kind", ok=False, detail=why.cause, fix=why.fix, required=False)
        return simulated(settings, [missing])
    if settings.driver == "auto":
        checks = (await kind.facts()).checks
        wrong = [c for c in checks if c.name in kind.essential_checks and not c.ok]
        if wrong:
            await kind.close()
            return simulated(settings, [c.model_copy(update={"required": False}) for c in wrong])
    return kind


def simulated(settings: Settings, instead_of: Sequence[Check]) -> Driver:
    """Give the driver that plays kind, saying why when it was not asked for."""
    for check in instead_of:
        log.warning("clusters_are_simulated", because=check.detail, fix=check.fix)
    return SimulatedDriver(
        settings.data_dir / "simulated", speed=settings.simulated_speed, instead_of=instead_of
    )
