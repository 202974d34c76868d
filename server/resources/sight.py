"""One cluster that somebody looks into: its table, kept right round after round."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

import aiohttp
import anyio

from pyk8s.wire.resources import Kind, ResourcesAway
from server.drivers.kube_http import in_words
from server.errors import ClusterAway, LabError
from server.resources.kinds import KINDS
from server.resources.pace import Pace
from server.resources.table import Table, Viewer
from server.resources.watching import Away, Upstream, Watching
from server.telemetry import get_logger

PROBE_SECONDS: Final = 5.0
PROBE_PATIENCE_SECONDS: Final = 8.0
"""A paused cluster keeps its connections and says nothing: only a question finds out."""
REACH_SECONDS: Final = 15.0
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 5.0
"""Who reloads a page finds everything still there."""

log = get_logger(__name__)

Sleep = Callable[[float], Awaitable[None]]


Reach = Callable[[UUID], Awaitable[Upstream]]


class Sight:
    """Watches while there are viewers, and a little longer."""

    def __init__(self, cluster_id: UUID, reach: Reach, *, sleep: Sleep = anyio.sleep) -> None:
        self._cluster_id = cluster_id
        self._reach = reach
        self._sleep = sleep
        self.table = Table({each.kind: each.cap for each in KINDS})
        self.away: ResourcesAway | None = None
        """Why nothing is known to be true now."""
        self.is_whole = False
        """Everything is in the table, and kept right."""
        self._url: str | None = None
        self._failures = 0
        self._moved = anyio.Event()
        lists, pace = anyio.Lock(), Pace(sleep)
        self._watchings = {
            each.kind: Watching(each, self.table, lists, pace, sleep=sleep) for each in KINDS
        }

    def join(self) -> Viewer:
        """Begin to look."""
        viewer = Viewer()
        self.table.viewers.add(viewer)
        self._moved.set()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Look no more."""
        self.table.viewers.discard(viewer)
        self._moved.set()

    async def run(self, *, linger_seconds: float, on_unwatched: Callable[[], None]) -> None:
        """Watch until nobody has looked for so long; `on_unwatched` is called at that moment."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_right)
            while True:
                self._moved = anyio.Event()
                with anyio.move_on_after(None if self.table.viewers else linger_seconds):
                    await self._moved.wait()
                    continue
                if not self.table.viewers:
                    break
            on_unwatched()
            tasks.cancel_scope.cancel()

    async def _keep_right(self) -> None:
        while True:
            try:
                with anyio.fail_after(REACH_SECONDS):
                    upstream = await self._reach(self._cluster_id)
                if upstream.url != self._url:
                    self._url = upstream.url
                    for watching in self._watchings.values():
                        watching.forget()
                await self._round(upstream)
            except LabError as error:
                self._tell_away(error.code, error.detail)
            except Away as error:
                self._tell_away(ClusterAway.code, f"the cluster does not answer: {error}")
            except TimeoutError:
                self._tell_away("unavailable", "the way to the cluster is not found in time")
            except Exception:  # a defect that must harm nobody but those who look here
                log.exception("looking_inside_failed", cluster_id=str(self._cluster_id))
                self._tell_away("internal", "the server made a mistake")
            pause = FIRST_PAUSE_SECONDS * 2 ** min(self._failures, 10)
            self._failures += 1
            await self._sleep(min(LONGEST_PAUSE_SECONDS, pause))

    async def _round(self, upstream: Upstream) -> None:
        """Watch everything until something fails.

        Raises:
            Away: something has.
        """
        missing: set[Kind] = set(self._watchings)
        failed: list[Away] = []

        def on_listed(kind: Kind) -> None:
            missing.discard(kind)
            if not missing and not self.is_whole:
                self._tell_whole()

        async def until_it_fails(work: Callable[[], Awaitable[None]]) -> None:
            try:
                await work()
            except Away as error:
                failed.append(error)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for kind, watching in self._watchings.items():
                listed = partial(on_listed, kind)
                tasks.start_soon(until_it_fails, partial(watching.run, upstream, on_listed=listed))
            tasks.start_soon(until_it_fails, partial(self._probe, upstream))
        raise failed[0]

    async def _probe(self, upstream: Upstream) -> None:
        """Ask again and again whether it is there."""
        url, patience = upstream.url + "/livez", aiohttp.ClientTimeout(PROBE_PATIENCE_SECONDS)
        while True:
            await self._sleep(PROBE_SECONDS)
            try:
                async with upstream.session.get(url, timeout=patience, allow_redirects=False):
                    pass
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise Away(in_words(error)) from error

    def _tell_whole(self) -> None:
        self.is_whole, self.away, self._failures = True, None, 0
        self.table.start_anew()

    def _tell_away(self, code: str, detail: str) -> None:
        if self.away is not None and (self.away.code, self.away.detail) == (code, detail):
            return
        self.is_whole = False
        self.away = ResourcesAway(at=datetime.now(UTC), code=code, detail=detail)
        for viewer in self.table.viewers:
            viewer.woken.set()
