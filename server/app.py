"""The composition root: the only place that names concrete drivers and starts loops."""

import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from pyk8s.wire.service import Check
from server.api import descriptions
from server.api.state import State
from server.api.streams import Streams
from server.apps import links
from server.apps.gate import AppGate
from server.commands.throttle import Throttle
from server.config import Settings
from server.controllers import reaper, retention
from server.drivers.base import Driver, DriverError
from server.drivers.kind import KindDriver, KindOptions
from server.drivers.simulated import SimulatedDriver
from server.errors import LabError, StartFailed
from server.fanout.hub import Hub
from server.kube.upstream import Upstreams
from server.provisioner.provisioner import Provisioner, host_id_of
from server.provisioner.workshop import Deadlines
from server.proxy.gate import ClusterGate
from server.proxy.grants import Grants
from server.proxy.listener import identity_of, proxying
from server.resources.lookout import Lookout
from server.secrets import Passwords, Sealer, load_or_make_key
from server.store import migrate
from server.store.database import Database
from server.store.embedded import EmbeddedPostgres
from server.store.hints import HintListener, Receivers
from server.telemetry import get_logger

ANNOUNCE_SECONDS = 30.0
"""So long the start waits for the provisioner: what an earlier server said may not be true now."""

log = get_logger(__name__)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[State]:
    """Bring up everything that the settings ask for, and take it down in order.

    Raises:
        StartFailed: a part does not come up; it says which and how to mend it.
    """
    prepare_data_dir(settings.data_dir)
    sealer = Sealer(key_of(settings))
    async with (
        database_of(settings) as database,
        driver_of(settings) as driver,
        aclosing(Upstreams(database, sealer)) as upstreams,
        aclosing(
            AppGate(
                database,
                upstreams,
                key=sealer.derive(links.PURPOSE),
                at=settings.apps_at,
                monotonic=time.monotonic,
            )
        ) as app_gate,
        anyio.create_task_group() as tasks,
    ):
        hub = Hub(database)
        streams = Streams(settings.streams_per_user)
        grants = Grants(database, monotonic=time.monotonic)
        receivers = Receivers(
            event=hub.on_event,
            job=hub.on_job,
            revoked=partial(_tell, (streams.on_revoked, grants.on_revoked, app_gate.on_revoked)),
            may_have_missed=partial(
                _tell,
                (
                    hub.on_may_have_missed,
                    grants.on_may_have_missed,
                    app_gate.on_may_have_missed,
                ),
            ),
        )
        tasks.start_soon(partial(grants.watch, clock=lambda: datetime.now(UTC)))
        tasks.start_soon(HintListener(database.url, receivers).run)
        tasks.start_soon(hub.run)
        lookout = Lookout(upstreams.of)
        tasks.start_soon(lookout.run)
        tasks.start_soon(partial(streams.watch, database, clock=lambda: datetime.now(UTC)))
        if driver is not None:
            provisioner = Provisioner(
                database=database,
                driver=driver,
                sealer=sealer,
                data_dir=settings.data_dir,
                host_name=settings.host_name,
                wait_for_work=hub.wait_for_work,
                max_creates=settings.max_creates,
                log_cap_bytes=settings.log_cap_bytes,
                deadlines=Deadlines().times(settings.deadline_factor),
            )
            tasks.start_soon(provisioner.run)
            with anyio.move_on_after(ANNOUNCE_SECONDS):
                await provisioner.announced.wait()
        if settings.plays("controllers"):
            tick = partial(anyio.sleep, reaper.TICK_SECONDS)
            tasks.start_soon(partial(reaper.run, database, tick=tick))
            if settings.log_retention_days:
                older_than = timedelta(days=settings.log_retention_days)
                tick = partial(anyio.sleep, retention.TICK_SECONDS)
                tasks.start_soon(partial(retention.run, database, older_than=older_than, tick=tick))
        yield State(
            settings=settings,
            database=database,
            hub=hub,
            passwords=Passwords(),
            throttle=Throttle(time.monotonic),
            sealer=sealer,
            streams=streams,
            upstreams=upstreams,
            grants=grants,
            app_gate=app_gate,
            proxy=identity_of(settings) if settings.listens_for_proxy_on is not None else None,
            lookout=lookout,
            documents=descriptions.write(),
        )
        tasks.cancel_scope.cancel()


def _tell(receivers: Sequence[Callable[..., None]], *said: Any) -> None:
    for each in receivers:
        each(*said)


@asynccontextmanager
async def relaying(state: State, sockets: Mapping[str, socket.socket]) -> AsyncIterator[None]:
    """Serve what relays into clusters, each on its socket, around what is running."""
    async with AsyncExitStack() as serving:
        if "proxy" in sockets:
            gate = ClusterGate(state["grants"], state["upstreams"])
            await serving.enter_async_context(proxying(sockets["proxy"], state["proxy"], gate))
        if "apps" in sockets:
            await serving.enter_async_context(proxying(sockets["apps"], None, state["app_gate"]))
        yield


def prepare_data_dir(path: Path) -> None:
    """Make the data directory, closed to others.

    Raises:
        StartFailed: it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartFailed(
            f"the data directory {path} cannot be written: {error.strerror}",
            fix="choose another one with PYK8S_DATA_DIR",
        ) from error


def key_of(settings: Settings) -> bytes:
    """Give the key for what is stored encrypted."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    return load_or_make_key(settings.data_dir / "secret.key")


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[Database]:
    """Connect to PostgreSQL, starting our own when no other is named, and migrate it."""
    embedded = None
    if settings.database_url is None:
        embedded = EmbeddedPostgres(settings.data_dir)
        url = await embedded.start()
    else:
        url = settings.database_url.get_secret_value()
    database = Database(url, pool_size=settings.database_pool_size)
    try:
        await bring_up_to_date(database, apply=settings.migrate == "auto")
        yield database
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()
            if embedded is not None:
                await embedded.stop()


async def bring_up_to_date(database: Database, *, apply: bool) -> None:
    """Apply pending migrations, or refuse to start when that is not wanted.

    Raises:
        StartFailed: PostgreSQL does not answer, or the schema is not what this server needs.
    """
    try:
        await database.ping()
        if apply:
            await migrate.upgrade(database.url)
        behind = await migrate.pending(database.url)
    except StartFailed:
        raise
    except (LabError, OSError) as error:
        told = error.detail if isinstance(error, LabError) else f"PostgreSQL: {error}"
        why = f": {error.__cause__}" if isinstance(error.__cause__, OSError) else ""
        raise StartFailed(
            told + why,
            fix="start it, or correct PYK8S_DATABASE_URL; without that variable the server "
            "brings a PostgreSQL of its own",
        ) from error
    if behind is not None:
        raise StartFailed(behind, fix="run `alembic upgrade head`, or set PYK8S_MIGRATE=auto")


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
