"""What a server is made of: its parts, their loops, and the order of their ends."""

import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from server.api import descriptions
from server.api.state import State
from server.api.streams import Streams
from server.app.database import database_of, key_of, prepare_data_dir
from server.app.driver import driver_of
from server.apps import links
from server.apps.gate import AppGate
from server.commands.throttle import Throttle
from server.config import Settings
from server.controllers import idle, pool, reaper, retention
from server.fanout.hub import Hub
from server.kube.upstream import Upstreams
from server.kube.use import Use
from server.kube.waking import Waker
from server.provisioner.provisioner import Provisioner
from server.provisioner.workshop import Deadlines
from server.proxy.gate import ClusterGate
from server.proxy.grants import Grants
from server.proxy.listener import identity_of, proxying
from server.resources.lookout import Lookout
from server.secrets import Passwords, Sealer
from server.store.hints import HintListener, Receivers
from server.terminals.terminals import Here, Limits, Terminals

ANNOUNCE_SECONDS = 30.0
"""So long the start waits for the provisioner: what an earlier server said may not be true now."""


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
                waker := Waker(database),
                use := Use(database),
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
        limits = Limits(settings.terminals_per_user, settings.terminals_per_cluster)
        terminals = Terminals(database, limits, here, waker, use)
        waker.tell_moved(grants.on_moved)
        waker.tell_moved(app_gate.on_moved)

        receivers = Receivers(
            event=partial(_tell, (waker.on_event, hub.on_event)),
            job=hub.on_job,
            revoked=partial(
                _tell,
                (
                    streams.on_revoked,
                    grants.on_revoked,
                    app_gate.on_revoked,
                    terminals.on_revoked,
                ),
            ),
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
        tasks.start_soon(partial(app_gate.watch, clock=lambda: datetime.now(UTC)))
        tasks.start_soon(HintListener(database.url, receivers).run)
        tasks.start_soon(hub.run)
        tasks.start_soon(use.run)
        lookout = Lookout(upstreams.of)
        tasks.start_soon(lookout.run)
        tasks.start_soon(partial(streams.watch, database, clock=lambda: datetime.now(UTC)))
        tasks.start_soon(terminals.run)
        if provisioner is not None:
            tasks.start_soon(provisioner.run)
            with anyio.move_on_after(ANNOUNCE_SECONDS):
                await provisioner.announced.wait()
        if settings.plays("controllers"):
            tick = partial(anyio.sleep, reaper.TICK_SECONDS)
            tasks.start_soon(partial(reaper.run, database, tick=tick))
            if settings.idle_pause_seconds:
                tick = partial(anyio.sleep, idle.TICK_SECONDS)
                tasks.start_soon(
                    partial(idle.run, database, seconds=settings.idle_pause_seconds, tick=tick)
                )
            tasks.start_soon(
                partial(
                    pool.run,
                    database,
                    sizes=settings.pool_sizes,
                    max_age_seconds=settings.pool_max_age_seconds,
                    tick=partial(anyio.sleep, pool.TICK_SECONDS),
                )
            )
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
            waker=waker,
            use=use,
            app_gate=app_gate,
            proxy=identity_of(settings) if settings.listens_for_proxy_on is not None else None,
            lookout=lookout,
            terminals=terminals,
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
            gate = ClusterGate(state["grants"], state["upstreams"], state["waker"], state["use"])
            await serving.enter_async_context(proxying(sockets["proxy"], state["proxy"], gate))
        if "apps" in sockets:
            await serving.enter_async_context(proxying(sockets["apps"], None, state["app_gate"]))
        yield
