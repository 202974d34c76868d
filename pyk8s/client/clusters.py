"""Clusters for programs: ask for one, find one, list all."""

import uuid
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pyk8s.client.backoff import Backoff
from pyk8s.client.cluster import Cluster
from pyk8s.client.http import Http
from pyk8s.client.lifetime import path_of


class Clusters:
    """All clusters of the caller."""

    def __init__(self, http: Http, backoff: Backoff) -> None:
        self._http = http
        self._backoff = backoff

    async def create(
        self,
        name: str | None = None,
        template: str | None = None,
        *,
        workers: int | None = None,
        ttl_seconds: int | None = None,
        kubernetes_version: str | None = None,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Cluster:
        """Ask for a cluster; the answer comes before it is ready, see `Cluster.wait_ready`.

        What is left out comes from the template. An `Idempotency-Key` always goes along, so a
        lost answer never makes a second cluster; give one of your own to repeat the call later.

        Raises:
            Invalid: a field is wrong; `errors` names it.
            Conflict: the name is taken.
            OverCapacity: a quota is used up, or no host takes the work.
            Unauthenticated, Forbidden, Unreachable: as their names say.
        """
        asked: dict[str, Any] = {
            "name": name,
            "template": template,
            "workers": workers,
            "ttl_seconds": ttl_seconds,
            "kubernetes_version": kubernetes_version,
            "labels": dict(labels) if labels else None,
        }
        document = await self._http.document(
            "POST",
            "/clusters",
            body={key: value for key, value in asked.items() if value is not None},
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
        )
        return Cluster(self._http, self._backoff, document)

    async def get(self, name_or_id: str | UUID) -> Cluster:
        """Find a cluster.

        Raises:
            NotFound: there is none of that name or id.
        """
        document = await self._http.document("GET", path_of(name_or_id))
        return Cluster(self._http, self._backoff, document)

    async def list(
        self,
        *,
        phase: str | None = None,
        labels: Mapping[str, str] | None = None,
        include_deleted: bool = False,
    ) -> list[Cluster]:
        """Give all clusters that match, from all pages."""
        params: dict[str, Any] = {}
        if phase:
            params["phase"] = phase
        if labels:
            params["label"] = [f"{key}={value}" for key, value in labels.items()]
        if include_deleted:
            params["include_deleted"] = "true"
        items = await self._http.items("/clusters", params)
        return [Cluster(self._http, self._backoff, item) for item in items]

    async def delete(self, name_or_id: str | UUID) -> None:
        """Begin to delete a cluster. Safe to repeat.

        Raises:
            NotFound: there is none of that name or id.
        """
        await self._http.document("DELETE", path_of(name_or_id))
