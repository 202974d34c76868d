"""Published apps of a cluster for programs: ports that have a URL outside."""

from collections.abc import Sequence
from uuid import UUID

from pyk8s.client.http import Http, understand
from pyk8s.wire.apps import App, AppKind, AppLink, AppList


class Apps:
    """The caller's published apps of one cluster."""

    def __init__(self, http: Http, cluster_path: str) -> None:
        self._http = http
        self._path = f"{cluster_path}/apps"

    async def publish(
        self,
        target: str,
        port: int,
        *,
        kind: AppKind | str = AppKind.SERVICE,
        namespace: str = "default",
        name: str | None = None,
    ) -> App:
        """Give a port of a service or a pod a URL. Nobody can open it without a link.

        `name`: part of the URL; unset, the target's.

        Raises:
            Conflict: the cluster cannot be reached yet or any more, or is simulated.
            Invalid: a name or the port cannot be one.
            OverCapacity: the cluster has as many apps as one may have.
        """
        asked = {"target": target, "port": port, "kind": str(kind), "namespace": namespace}
        body = asked if name is None else {**asked, "name": name}
        return understand(App, await self._http.document("POST", self._path, body=body))

    async def list(self) -> Sequence[App]:
        """Give all of them, the newest first."""
        return understand(AppList, await self._http.document("GET", self._path)).items

    async def link(self, app_id: UUID | str, *, expires_in_seconds: int = 3600) -> AppLink:
        """Give a link that opens an app for whoever has it. It is a secret.

        It ends with the lease of the cluster at the latest.

        Raises:
            NotFound: the caller has no such app.
        """
        body = {"expires_in_seconds": expires_in_seconds}
        path = f"{self._path}/{app_id}/links"
        return understand(AppLink, await self._http.document("POST", path, body=body))

    async def end_links(self, app_id: UUID | str) -> None:
        """Make all links of an app open nothing any more; who came by one is cut off.

        Raises:
            NotFound: the caller has no such app.
        """
        await self._http.document("DELETE", f"{self._path}/{app_id}/links")

    async def unpublish(self, app_id: UUID | str) -> None:
        """Take an app's URL away; who has it open is cut off. What runs in the cluster stays.

        Raises:
            NotFound: the caller has no such app.
        """
        await self._http.document("DELETE", f"{self._path}/{app_id}")
