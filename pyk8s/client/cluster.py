"""One cluster for programs: follow it, wait for it, use it, give it back."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Self
from uuid import UUID

from pyk8s.client import inside
from pyk8s.client.apps import Apps
from pyk8s.client.credentials import Credentials
from pyk8s.client.errors import ClusterGone, WaitTimeout
from pyk8s.client.frames import Followed, Reader, read_event
from pyk8s.client.http import items_of, not_understood
from pyk8s.client.images import Images
from pyk8s.client.lifetime import Lifetime, path_of
from pyk8s.client.stream import Listener, follow
from pyk8s.client.terminal import Terminal
from pyk8s.client.waiting import is_in
from pyk8s.wire.access import CreatedCredential, Credential, Endpoint
from pyk8s.wire.cluster import Phase
from pyk8s.wire.events import ClusterEvent
from pyk8s.wire.reduce import apply_event
from pyk8s.wire.resources import Resources
from pyk8s.wire.usage import Usage

EVENT_PAGE = 1000


class Cluster(Lifetime):
    """One cluster: what `Lifetime` has, its events, and all that lies within it."""

    @property
    def apps(self) -> Apps:
        """Its published apps."""
        return Apps(self._http, path_of(self.id))

    @property
    def images(self) -> Images:
        """The container images in its nodes."""
        return Images(self._http, path_of(self.id))

    async def events(
        self, after: int = 0, *, on_state: Listener | None = None
    ) -> AsyncGenerator[ClusterEvent]:
        """Give every event with seq > `after`, stored ones first, then live, until the end.

        Reconnects and resumes by itself, without a gap or a repeat; `on_state` hears of it.
        Ends after the last event of a deleted cluster. Events of types that this version does
        not know are left out.

        Raises:
            StreamRefused, Unauthenticated, Forbidden: the server will not tell.
            Unreachable: the connection is lost and stays lost.
            GapDetected: events are missing, a bug.
        """
        async with contextlib.aclosing(self.follow(after, on_state=on_state)) as followed:
            async for item in followed:
                if item.event is not None:
                    yield item.event

    async def follow(
        self, after: int = 0, *, on_state: Listener | None = None
    ) -> AsyncGenerator[Followed]:
        """As `events`, with the API's own JSON beside each event and unknown types included."""
        reader = Reader(f"cluster:{self.id}", after=after, epoch=str(self.snapshot.epoch))
        stream = follow(self._http.endpoint, reader, backoff=self._backoff, on_state=on_state)
        async with contextlib.aclosing(stream):
            async for item in stream:
                self._fold(item)
                yield item

    async def stored_events(self, after: int = 0) -> AsyncGenerator[Followed]:
        """Give the events with seq > `after` that exist now, page by page over REST, then stop."""
        while True:
            page = await self._http.document(
                "GET", f"{path_of(self.id)}/events", params={"after": after, "limit": EVENT_PAGE}
            )
            items = items_of(page)
            for document in items:
                seq = _whole(document.get("seq"), "seq")
                yield Followed(seq, read_event(document), document)
            following = _whole(page.get("next_after") or after, "next_after")
            if page.get("end") or not items or following <= after:
                return
            after = following

    async def wait(
        self,
        *phases: Phase | str,
        timeout_seconds: float | None = None,
        on_event: Callable[[ClusterEvent], None] | None = None,
        on_state: Listener | None = None,
    ) -> Self:
        """Wait until the cluster is in one of `phases`; `on_event` hears what happens meanwhile.

        Raises:
            ClusterFailed: it failed instead, and says why.
            ClusterGone: it is being deleted instead.
            WaitTimeout: not within `timeout_seconds`; it goes on.
            StreamRefused, Unauthenticated, Forbidden, Unreachable, GapDetected: as `events`.
        """
        wanted = [Phase(phase) for phase in phases]
        try:
            async with asyncio.timeout(timeout_seconds):
                if is_in(self.snapshot, wanted):
                    return self
                events = self.events(self.snapshot.last_seq, on_state=on_state)
                async with contextlib.aclosing(events):
                    async for event in events:
                        if on_event is not None:
                            on_event(event)
                        if is_in(self.snapshot, wanted):
                            return self
        except TimeoutError as error:
            raise WaitTimeout(self.snapshot, wanted, timeout_seconds or 0.0) from error
        raise ClusterGone(self.snapshot)

    async def wait_ready(self, *, timeout_seconds: float | None = None) -> Self:
        """Wait until the cluster is ready. Raises as `wait`."""
        return await self.wait(Phase.READY, timeout_seconds=timeout_seconds)

    async def kubeconfig(
        self,
        endpoint: Endpoint | str | None = None,
        *,
        expires_in_seconds: int | None = None,
        service_account: str | None = None,
    ) -> str:
        """Give a kubeconfig, as YAML, for "proxy" (from anywhere) or "direct" (on its own host).

        It ends with the cluster, or after `expires_in_seconds`. `service_account`:
        `NAMESPACE/NAME`, who asks inside instead of you. Raises as `Credentials.issue`.
        """
        return await self._access.kubeconfig(
            endpoint, expires_in_seconds=expires_in_seconds, service_account=service_account
        )

    async def credentials(self) -> Sequence[Credential]:
        """Give the caller's living credentials for it. Raises as `Credentials.list`."""
        return await self._access.list()

    async def issue_credential(
        self, name: str = "program", *, expires_in_seconds: int | None = None
    ) -> CreatedCredential:
        """Make a credential for the proxy, without a file. Raises as `Credentials.issue`."""
        return await self._access.issue(name, expires_in_seconds=expires_in_seconds)

    async def revoke_credential(self, credential_id: UUID | str) -> None:
        """End a credential, and what is open under it. Raises as `Credentials.revoke`."""
        await self._access.revoke(credential_id)

    async def log(self) -> str:
        """Give the log as it is now, as plain text. `events` follows it."""
        return (await self._http.send("GET", f"{path_of(self.id)}/log")).text

    async def resources(self) -> Resources:
        """Tell what is inside the cluster now. Raises as `inside.resources`."""
        return await inside.resources(self._http, path_of(self.id))

    async def usage(self) -> Usage:
        """Measure what the cluster takes of its host now. Raises as `inside.usage`."""
        return await inside.usage(self._http, path_of(self.id))

    async def pod_log(
        self,
        namespace: str,
        pod: str,
        *,
        container: str | None = None,
        tail_lines: int = 1000,
        previous: bool = False,
    ) -> str:
        """Give the last lines of a container's log; `previous`: of the one before its restart.

        Raises as `inside.pod_log`.
        """
        return await inside.pod_log(
            self._http,
            path_of(self.id),
            namespace,
            pod,
            container=container,
            tail_lines=tail_lines,
            previous=previous,
        )

    def terminal(
        self,
        *,
        rows: int = 24,
        cols: int = 80,
        session: UUID | None = None,
        pod: str | None = None,
        container: str | None = None,
        on_state: Listener | None = None,
    ) -> Terminal:
        """Give a shell in the control-plane node, or in a pod (`namespace/name`); see `Terminal`.

        `session` attaches to one that is open instead of opening another.
        """
        return Terminal(
            self._http.endpoint,
            str(self.id),
            backoff=self._backoff,
            rows=rows,
            cols=cols,
            session=session,
            pod=pod,
            container=container,
            on_state=on_state,
        )

    async def evidence(self) -> bytes:
        """Give what was collected when the cluster failed, as a tar.gz.

        Raises:
            NotFound: nothing was collected, or the cluster is gone.
        """
        return (await self._http.send("GET", f"{path_of(self.id)}/evidence")).content

    @property
    def _access(self) -> Credentials:
        return Credentials(self._http, path_of(self.id))

    def _fold(self, item: Followed) -> None:
        if item.seq != self.snapshot.last_seq + 1:
            return
        folded = apply_event(self.snapshot, item.event) if item.event else None
        self.snapshot = folded or self.snapshot.model_copy(update={"last_seq": item.seq})


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int):
        raise not_understood(f"{name}: an integer is expected")
    return value
