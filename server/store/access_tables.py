"""The tables of the ways into clusters. Imported by `server.store` only."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from server.store.tables import NOW, Table


class AccessRow(Table):
    """How to reach a ready cluster as its administrator. The kubeconfig is encrypted."""

    __tablename__ = "cluster_access"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("attempts.id"))
    sealed_kubeconfig: Mapped[bytes]
    sealed_proxy_identity: Mapped[bytes | None]
    internal_url: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class CredentialRow(Table):
    """One person's way into one cluster. Only the SHA-256 of a secret is kept."""

    __tablename__ = "credentials"
    __table_args__ = (Index("ix_credentials_cluster_id_user_id", "cluster_id", "user_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    endpoint: Mapped[str]
    name: Mapped[str]
    secret_hash: Mapped[bytes | None] = mapped_column(unique=True)
    """None: a certificate, which goes to the cluster without us."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AppRow(Table):
    """A port inside a cluster that has a URL outside."""

    __tablename__ = "apps"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    host_label: Mapped[str] = mapped_column(unique=True)
    """The first part of its host name. Never used again: browsers keep cookies by it."""
    name: Mapped[str]
    kind: Mapped[str]
    namespace: Mapped[str]
    target: Mapped[str]
    port: Mapped[int]
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    """Links of an earlier one open nothing."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    removed_at: Mapped[datetime | None]


class UseRow(Table):
    """When a cluster was used last, as far as this server could see."""

    __tablename__ = "cluster_use"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"), primary_key=True)
    used_at: Mapped[datetime]
