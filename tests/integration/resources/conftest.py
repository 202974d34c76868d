"""Fixtures of the tests that look into clusters.

kube    a stand-in for an API server, over TLS, that believes the cluster's administrator only
inside  a ready cluster of ann's, into which the way leads there
"""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from server.store import access
from tests.integration.conftest import Caller, LabServer
from tests.integration.resources.authority import Authority, make_authority
from tests.integration.resources.fake_kube import FakeKube, fake_kube


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


@pytest.fixture
async def kube(authority: Authority) -> AsyncIterator[FakeKube]:
    async with fake_kube(authority.context) as kube:
        yield kube


@pytest.fixture
async def inside(lab_server: LabServer, ann: Caller, kube: FakeKube, authority: Authority) -> str:
    """Give the beginning of its paths."""
    cluster = await ann.create(name="demo")
    await ann.until(cluster["id"], "ready")
    await lead_into(lab_server, cluster["id"], kube, authority)
    return f"/api/v1/clusters/{cluster['id']}"


async def lead_into(
    server: LabServer, cluster_id: str, kube: FakeKube, authority: Authority
) -> None:
    """Have the way into a cluster lead to a stand-in."""
    sealer = server.state["sealer"]
    async with server.state["database"].transaction() as session:
        found = text("SELECT id FROM attempts WHERE cluster_id = :id")
        attempt_id = await session.scalar(found, {"id": UUID(cluster_id)})
        assert attempt_id is not None
        await access.save(
            session,
            UUID(cluster_id),
            attempt_id,
            sealed_kubeconfig=sealer.seal(authority.kubeconfig(kube.url).encode()),
            sealed_proxy_identity=sealer.seal(authority.admin + authority.admin_key),
            internal_url=kube.url,
        )
