"""Plain functions that make things for tests; every keyword has a sensible default."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids

from pyk8s.wire.accounts import User
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.facts import LogLine
from server.admission import Space
from server.store import accounts, clusters, hosts
from server.store.clusters import NewCluster
from server.store.database import Database
from server.store.event_log import Draft
from server.store.hosts import HostFacts

EPOCH = UUID("018f0000-0000-7000-8000-000000000000")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def make_snapshot(**changes: Any) -> Cluster:
    """Make a cluster as the wire shows it."""
    values: dict[str, Any] = {
        "id": UUID("018f0000-0000-7000-8000-000000000001"),
        "name": "brave-otter",
        "owner": "ann",
        "template": "default",
        "kubernetes_version": "v1.36.4",
        "control_planes": 1,
        "workers": 0,
        "labels": {},
        "driver": "simulated",
        "phase": Phase.PENDING,
        "conditions": [],
        "progress": None,
        "queue": None,
        "failure": None,
        "from_pool": False,
        "ttl_seconds": 3600,
        "created_at": BEGIN,
        "ready_at": None,
        "expires_at": None,
        "deleted_at": None,
        "last_seq": 1,
        "epoch": EPOCH,
    }
    return Cluster.model_validate(values | changes)


def log_lines(count: int, *, first: int = 0) -> list[Draft]:
    """Make numbered log lines."""
    return [
        Draft(LogLine(stream="stderr", text=f"line {first + number}")) for number in range(count)
    ]


async def add_user(database: Database, username: str = "ann") -> User:
    """Make an account that cannot sign in: its password is not a hash."""
    async with database.transaction() as session:
        user = await accounts.add_user(
            session, user_id=uuids.uuid7(), username=username, password_hash="-", signup=True
        )
    assert user is not None
    return user


async def add_cluster(
    database: Database, owner: User, *, name: str = "demo", ttl_seconds: int = 3600
) -> Cluster:
    """Make a pending cluster without a job."""
    new = NewCluster(
        id=uuids.uuid7(),
        name=name,
        template="default",
        kubernetes_version="v1.36.4",
        control_planes=1,
        workers=0,
        ttl_seconds=ttl_seconds,
        labels={},
        driver="simulated",
    )
    async with database.transaction() as session:
        cluster = await clusters.add(session, owner.id, new)
    assert cluster is not None
    return cluster


async def announce_host(
    database: Database, *, driver: str = "simulated", versions: Sequence[str] = ("v1.36.4",)
) -> UUID:
    """Say that there is a provisioner."""
    facts = HostFacts(
        node_images={version: f"kindest/node:{version}" for version in versions},
        default_kubernetes_version=versions[0],
        space=Space(cpus=8, memory_total=12 * 1024**3, memory_available=None),
        checks=[],
    )
    async with database.transaction() as session:
        return await hosts.announce(
            session, host_id=uuids.uuid7(), name="here", driver=driver, facts=facts
        )
