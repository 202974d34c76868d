"""The ways into clusters, and what they share."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import anyio.abc

from server.app.supervision import Supervisor
from server.apps import links
from server.apps.gate import AppGate
from server.config import Settings
from server.kube.upstream import Upstreams
from server.kube.use import Use
from server.kube.waking import Waker
from server.proxy.grants import Grants
from server.secrets import Sealer
from server.store.database import Database


@dataclass(frozen=True, slots=True)
class Ways:
    """What lets people, programs and browsers in."""

    upstreams: Upstreams
    waker: Waker
    use: Use
    grants: Grants
    app_gate: AppGate

    def on_revoked(self, ended: UUID) -> None:
        """Take a hint: something was ended before its time."""
        self.grants.on_revoked(ended)
        self.app_gate.on_revoked(ended)

    def on_may_have_missed(self) -> None:
        """Look everything up again: hints may have been lost."""
        self.grants.on_may_have_missed()
        self.app_gate.on_may_have_missed()

    def watch(self, tasks: anyio.abc.TaskGroup, supervisor: Supervisor) -> None:
        """Begin to look after what is open."""
        tasks.start_soon(supervisor.run, "credentials", partial(self.grants.watch, clock=_now))
        tasks.start_soon(supervisor.run, "apps", partial(self.app_gate.watch, clock=_now))
        tasks.start_soon(supervisor.run, "use", self.use.run)


def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def ways_of(settings: Settings, database: Database, sealer: Sealer) -> AsyncIterator[Ways]:
    """Make them; their connections are closed at the end."""
    waker, use = Waker(database), Use(database)
    grants = Grants(database, monotonic=time.monotonic)
    async with aclosing(Upstreams(database, sealer)) as upstreams:
        gate = AppGate(
            database,
            upstreams,
            waker,
            use,
            key=sealer.derive(links.PURPOSE),
            at=settings.apps_at,
            monotonic=time.monotonic,
        )
        async with aclosing(gate) as app_gate:
            waker.tell_moved(grants.on_moved)
            waker.tell_moved(app_gate.on_moved)
            yield Ways(upstreams, waker, use, grants, app_gate)
