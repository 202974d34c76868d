"""A cluster as a whole, for programs: what it is, and what can be done with its life."""

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

from pyk8s.client.backoff import Backoff
from pyk8s.client.http import Http, understand
from pyk8s.wire.cluster import Cluster as Snapshot
from pyk8s.wire.cluster import Phase


def path_of(name_or_id: str | UUID) -> str:
    """Give the path of a cluster under the API."""
    return f"/clusters/{quote(str(name_or_id), safe='')}"


class Lifetime:
    """One cluster. `snapshot` is its state as last seen; following its events keeps it fresh.

    `document` is the API's own JSON of the moment when the cluster was asked for.
    """

    def __init__(self, http: Http, backoff: Backoff, document: Mapping[str, Any]) -> None:
        self._http = http
        self._backoff = backoff
        self.document = dict(document)
        self.snapshot = understand(Snapshot, document)

    def __repr__(self) -> str:
        return f"<Cluster {self.name} {self.phase}>"

    @property
    def id(self) -> UUID:
        """The identity; names may be used again, ids are not."""
        return self.snapshot.id

    @property
    def name(self) -> str:
        """The name."""
        return self.snapshot.name

    @property
    def phase(self) -> Phase:
        """The phase as last seen."""
        return self.snapshot.phase

    async def refresh(self) -> Self:
        """Ask the server for the state of now. Raises as `Clusters.get`."""
        self.document = await self._http.document("GET", path_of(self.id))
        self.snapshot = understand(Snapshot, self.document)
        return self

    async def delete(self) -> Self:
        """Begin to delete the cluster; `wait("deleted")` waits for the end. Safe to repeat.

        Raises:
            NotFound: there is no such cluster.
        """
        document = await self._http.document("DELETE", path_of(self.id))
        if document:
            self.document = document
            self.snapshot = understand(Snapshot, document)
            return self
        return await self.refresh()

    async def extend(self, seconds: int) -> Self:
        """Let the cluster live `seconds` longer, counted from the present end of its lease.

        Raises:
            Conflict: it has no lease: it is not ready.
            Invalid: the server does not let it live so long.
        """
        return await self._post("extend", {"seconds": seconds})

    async def cancel(self) -> Self:
        """Stop the create: the cluster is `failed`, and everything of it is removed.

        Raises:
            Conflict: nothing is being created.
        """
        return await self._post("cancel")

    async def retry(self) -> Self:
        """Create the cluster anew after it has failed. `wait_ready` waits for the outcome.

        Raises:
            Conflict: it has not failed.
            OverCapacity: no host takes the work.
        """
        return await self._post("retry")

    async def pause(self) -> Self:
        """Ask that the cluster is frozen: it keeps its memory, and takes no CPU.

        `wait("paused")` waits for it. Whoever uses the cluster then wakes it. Safe to repeat.

        Raises:
            Conflict: it is not up.
        """
        return await self._post("pause")

    async def resume(self) -> Self:
        """Ask that a paused cluster goes on; `wait("ready")` waits for it. Safe to repeat.

        Raises:
            Conflict: it is not up.
        """
        return await self._post("resume")

    async def _post(self, what: str, body: Mapping[str, Any] | None = None) -> Self:
        self.document = await self._http.document("POST", f"{path_of(self.id)}/{what}", body=body)
        self.snapshot = understand(Snapshot, self.document)
        return self
