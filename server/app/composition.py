"""What a server is made of: its parts, their loops, and the order of their ends."""

import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from server.api import descriptions
from server.api.compression import Compressor
from server.api.metrics import exposition
from server.api.readiness import Watched, look
from server.api.recent import RecentSecrets
from server.api.shared import Shared
from server.api.state import Readiness, State
from server.api.streams import Streams
from server.app.controllers import start_controllers
from server.app.database import database_dir_of, database_of, key_of, prepare_data_dir
from server.app.driver import driver_of
from server.app.setup import prepared_setup
from server.app.supervision import Supervisor
from server.app.ways import ways_of
from server.commands.devices import Devices
from server.commands.passwords import Passwords
from server.commands.throttle import Throttle
from server.config import Settings
from server.fanout.hub import Hub
from server.images.loading import Images
from server.kube.measuring import Measuring
from server.kube.own_host import Here, OwnHost
from server.provisioner.provisioner import Provisioner
from server.provisioner.workshop import Deadlines
from server.proxy.gate import ClusterGate
from server.proxy.listener import identity_of, proxying
from server.resources.lookout import Lookout
from server.secrets import Sealer
from server.store.data_lock import data_dir_locked
from server.store.hints import HintListener, Receivers
from server.terminals.terminals import Limits, Terminals
from server.transport.accepting import policy_of

ANNOUNCE_SECONDS = 30.0
"""So long the start waits for the provisioner: what an earlier server said may not be true now."""

HEALTH_SECONDS = 1.0
"""`/readyz` and `/metrics` ask at most so often, however many read them."""


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[State]:
    """Bring up everything that the settings ask for, and take it down in order.

    Raises:
        StartFailed: a part does not come up; it says which and how to mend it.
    """
    prepare_data_dir(settings.data_dir)
    with data_dir_locked(settings.data_dir, port=settings.port):
        async with _running(settings) as state:
            yield state


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[State]:
    sealer = Sealer(key_of(settings))
    async with (
        database_of(settings) as database,
        driver_of(settings) as driver,
        ways_of(settings, database, sealer) as ways,
        anyio.create_task_group() as tasks,
    ):
        hub = Hub(database)
        streams = Streams(settings.streams_per_user)
        provisioner, here = None, None
        if driver is not None:
            provisioner = made = Provisioner(
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
            here = Here(driver, lambda: made.host_id)
        own_host = OwnHost(database, here)
        limits = Limits(
            settings.terminals_per_user, settings.terminals_per_cluster, settings.max_terminals
        )
        terminals = Terminals(
            database,
            limits,
            own_host,
            ways.waker,
            ways.use,
            bytes_per_second=settings.terminal_bytes_per_second,
        )
        images = Images(
            database,
            own_host,
            ways.waker,
            ways.use,
            most_bytes=settings.image_archive_bytes,
            most_seconds=settings.image_load_seconds,
        )

        receivers = Receivers(
            event=partial(_tell, (ways.waker.on_event, hub.on_event)),
            job=hub.on_job,
            revoked=partial(_tell, (streams.on_revoked, ways.on_revoked, terminals.on_revoked)),
            may_have_missed=partial(_tell, (hub.on_may_have_missed, ways.on_may_have_missed)),
        )
        supervisor = Supervisor()
        ways.watch(tasks, supervisor)
        tasks.start_soon(HintListener(database.url, receivers).run)
        tasks.start_soon(hub.run)
        lookout = Lookout(ways.upstreams.of)
        tasks.start_soon(lookout.run)
        watching = partial(streams.watch, database, clock=lambda: datetime.now(UTC))
        tasks.start_soon(supervisor.run, "streams", watching)
        tasks.start_soon(terminals.run)
        if provisioner is not None:
            tasks.start_soon(provisioner.run)
            with anyio.move_on_after(ANNOUNCE_SECONDS):
                await provisioner.announced.wait()
        if settings.plays("controllers"):
            start_controllers(tasks, supervisor, settings, database)
        identity = identity_of(settings) if settings.listens_for_proxy_on is not None else None
        at_most = partial(Shared, seconds=HEALTH_SECONDS, monotonic=time.monotonic)
        readiness: Shared[Readiness] = at_most(
            Watched(
                partial(
                    look,
                    settings,
                    database,
                    identity,
                    database_dir_of(settings),
                    of_loops=supervisor.checks,
                )
            )
        )
        yield State(
            settings=settings,
            database=database.for_people(),
            recent=RecentSecrets(),
            hub=hub,
            passwords=Passwords(),
            throttle=Throttle(time.monotonic),
            devices=Devices(sealer),
            setup_code=await prepared_setup(settings, database, sealer),
            sealer=sealer,
            streams=streams,
            compressor=Compressor(),
            upstreams=ways.upstreams,
            grants=ways.grants,
            waker=ways.waker,
            use=ways.use,
            app_gate=ways.app_gate,
            proxy=identity,
            lookout=lookout,
            terminals=terminals,
            images=images,
            own_host=own_host,
            measuring=Measuring(),
            documents=descriptions.write(),
            readiness=readiness,
            metrics=at_most(partial(exposition, settings, database, streams, readiness)),
        )
        tasks.cancel_scope.cancel()


def _tell(receivers: Sequence[Callable[..., None]], *said: Any) -> None:
    for each in receivers:
        each(*said)


@asynccontextmanager
async def relaying(state: State, sockets: Mapping[str, socket.socket]) -> AsyncIterator[None]:
    """Serve what relays into clusters, each on its socket, around what is running."""
    policy = policy_of(state["settings"])
    async with AsyncExitStack() as serving:
        if "proxy" in sockets:
            gate = ClusterGate(
                state["grants"],
                state["upstreams"],
                state["waker"],
                state["use"],
                monotonic=time.monotonic,
            )
            proxy = proxying(sockets["proxy"], state["proxy"], gate, policy)
            await serving.enter_async_context(proxy)
        if "apps" in sockets:
            apps = proxying(sockets["apps"], None, state["app_gate"], policy)
            await serving.enter_async_context(apps)
        yield
