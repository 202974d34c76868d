"""A certificate for a cluster's own API server is listed before it exists, so it can be revoked."""

from typing import Any
from uuid import UUID

import pytest

from server.errors import Unavailable
from server.kube import certificates
from tests.integration.conftest import Caller, LabServer
from tests.integration.proxy.hostile import HostileApi
from tests.integration.proxy.test_hostile_api_server import Site, site

__all__ = ["Caller", "HostileApi", "LabServer", "site"]


async def listed(of: Site) -> list[dict[str, Any]]:
    answer = await of.ann.http.get(f"/api/v1/clusters/{of.cluster}/credentials")
    return list(answer.json()["items"])


@pytest.mark.parametrize("during", ["nothing", "delete", "failure", "revoke"])
async def test_what_is_signed_is_listed_or_revoked(
    site: Site, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    signed: list[UUID] = []
    revoked: list[UUID] = []

    async def issue(_way: object, _sealer: object, *, credential_id: UUID, **_: object) -> bytes:
        assert [each["id"] for each in await listed(site)] == [str(credential_id)]
        signed.append(credential_id)
        path = f"/api/v1/clusters/{site.cluster}"
        if during == "failure":
            raise Unavailable("no answer", fix="wait", retry_after=2)
        if during == "delete":
            assert (await site.ann.http.delete(path)).status_code == 202
        if during == "revoke":
            await site.ann.http.delete(f"{path}/credentials/{credential_id}")
        return b"-----BEGIN"

    async def revoke(_way: object, _sealer: object, credential_id: UUID) -> None:
        revoked.append(credential_id)

    monkeypatch.setattr(certificates, "issue", issue)
    monkeypatch.setattr(certificates, "revoke", revoke)
    status, _ = await site.direct()
    assert len(signed) == 1
    if during == "nothing":
        assert status == 200
        assert [each["id"] for each in await listed(site)] == [str(signed[0])]
        assert revoked == []
    else:
        assert status in {404, 409, 503}
        assert set(revoked) == set(signed)
        assert await listed(site) == []
