"""The tables. Imported by `server.store` only: everything above sees wire models or dataclasses."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

NOW = func.now()

POOL = UUID("00000000-0000-7000-8000-000000000001")
"""The account that owns prebuilt clusters. Nobody can sign in with it, and no list shows it."""


class Table(DeclarativeBase):
    """Base of all tables; its naming convention keeps migrations stable."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text,
        bytes: LargeBinary,
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
    }


class Installation(Table):
    """One row. `epoch` identifies the event log: a wipe and a restore change it."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    epoch: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class UserRow(Table):
    """An account."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    is_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class SessionRow(Table):
    """A signed-in browser. Only the SHA-256 of its cookie is kept."""

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    user_agent: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_used_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class TokenRow(Table):
    """A program's right. Only the SHA-256 of its secret is kept."""

    __tablename__ = "tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class HostRow(Table):
    """A machine with a provisioner; its driver and what it last said of itself."""

    __tablename__ = "hosts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    driver: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ClusterRow(Table):
    """The snapshot of a cluster, written only by `event_log.append`: the fold of its events."""

    __tablename__ = "clusters"
    __table_args__ = (
        Index(
            "uq_clusters_owner_id_name_living",
            "owner_id",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_clusters_owner_id_created_at", "owner_id", "created_at"),
        Index(
            "ix_clusters_expires_at_living",
            "expires_at",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_clusters_deleted_at_logged",
            "deleted_at",
            postgresql_where=text("log_removed_at IS NULL"),
        ),
        Index(
            "ix_clusters_last_ready",
            "template",
            "driver",
            "ready_at",
            postgresql_where=text("ready_at IS NOT NULL"),
        ),
        Index(
            "ix_clusters_last_ready_as_preset",
            "template",
            "driver",
            "control_planes",
            "workers",
            "ready_at",
            postgresql_where=text("ready_at IS NOT NULL AND NOT from_pool"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    template: Mapped[str]
    kubernetes_version: Mapped[str]
    control_planes: Mapped[int]
    workers: Mapped[int]
    labels: Mapped[dict[str, Any]]
    driver: Mapped[str]
    phase: Mapped[str]
    conditions: Mapped[list[Any]]
    progress: Mapped[dict[str, Any] | None]
    queue: Mapped[dict[str, Any] | None]
    failure: Mapped[dict[str, Any] | None]
    from_pool: Mapped[bool] = mapped_column(server_default=text("false"))
    ttl_seconds: Mapped[int]
    created_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    lease_warned_seconds: Mapped[int | None]
    deleted_at: Mapped[datetime | None]
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    log_removed_at: Mapped[datetime | None]
    """When the lines of its log were given up; the facts stay."""


class AttemptRow(Table):
    """One try at creating a cluster; its id makes the kind name, which is never used again."""

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("cluster_id", "number"),
        Index("ix_attempts_host_id_removed_at", "host_id", "removed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"))
    number: Mapped[int]
    host_id: Mapped[UUID] = mapped_column(ForeignKey("hosts.id"))
    driver: Mapped[str]
    spool_offset: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    recorder_state: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    outcome: Mapped[str | None]
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """The most that its nodes were seen to take together."""
    build_cpu_seconds: Mapped[float | None]
    """What they had used when the cluster became ready."""
    standing_cores: Mapped[float | None]
    """How many cores they kept busy in the quietest minute since."""
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    finished_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class EvidenceRow(Table):
    """What was collected when the last create of a cluster failed, as a tar.gz.

    The bytes are here and not in a file: the API may run on another machine than the provisioner.
    """

    __tablename__ = "evidence"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("attempts.id"))
    archive: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class JobRow(Table):
    """One piece of work for a provisioner.

    state: `queued` -> `running` (claimed) -> `done`. A running job whose `lease_until` has
    passed may be claimed again; `fence` goes up with each claim.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint("kind IN ('create', 'delete', 'pause', 'wake')", name="kind"),
        CheckConstraint("state IN ('queued', 'running', 'done')", name="state"),
        Index(
            "ix_jobs_open",
            "run_after",
            "created_at",
            postgresql_where=text("state <> 'done'"),
        ),
        Index("ix_jobs_cluster_id", "cluster_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"))
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    host_id: Mapped[UUID | None] = mapped_column(ForeignKey("hosts.id"))
    claimed_by: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    reason: Mapped[str | None]
    """Why it is wanted, in CamelCase, if somebody said so."""
    cancel_requested_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    run_after: Mapped[datetime] = mapped_column(server_default=NOW)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    finished_at: Mapped[datetime | None]


class DriftRow(Table):
    """What the last sweep of a host has found, and what is to be repaired at the next one."""

    __tablename__ = "drift"

    host_id: Mapped[UUID] = mapped_column(ForeignKey("hosts.id"), primary_key=True)
    seen_at: Mapped[datetime]
    unreachable: Mapped[str | None]
    attempts: Mapped[list[Any]]
    differences: Mapped[list[Any]]
    repairs: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))


class PoolSizeRow(Table):
    """How many prebuilt clusters of a template an administrator wants, in place of the setting."""

    __tablename__ = "pool_sizes"

    template: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]


class IdempotencyKeyRow(Table):
    """What a request with an Idempotency-Key brought about, so that its twin gets the same."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id"))
    answer: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
