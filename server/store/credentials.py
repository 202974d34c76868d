"""Credentials for clusters: each is one person's way into one cluster, for a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, tuple_, update

from pyk8s.wire.access import Credential, Endpoint
from pyk8s.wire.cluster import Phase
from server.store import cursors
from server.store.access_tables import AccessRow, CredentialRow
from server.store.database import ReadSession, WriteSession
from server.store.hints import tell_all_revoked, tell_revoked
from server.store.tables import ClusterRow, UserRow

TOUCH_AFTER = timedelta(seconds=60)
"""`last_used_at` is written at most this often, so that reading does not become writing."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a credential allows: one person, one cluster, until a time."""

    credential_id: UUID
    user_id: UUID
    username: str
    cluster_id: UUID
    cluster_name: str
    phase: Phase
    attempt_id: UUID | None
    """Whose way in there is now. None: the cluster cannot be reached."""
    expires_at: datetime


async def add(
    session: WriteSession,
    *,
    credential_id: UUID,
    user_id: UUID,
    cluster_id: UUID,
    endpoint: Endpoint,
    name: str,
    secret_hash: bytes | None,
    lifetime: timedelta,
) -> Credential:
    """Keep a credential. `secret_hash`: None for a certificate, which we do not see again."""
    row = CredentialRow(
        id=credential_id,
        user_id=user_id,
        cluster_id=cluster_id,
        endpoint=endpoint,
        name=name,
        secret_hash=secret_hash,
        expires_at=func.now() + lifetime,
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return _credential(row)


async def set_lifetime(
    session: WriteSession, credential_id: UUID, lifetime: timedelta
) -> Credential | None:
    """Let a living credential end `lifetime` from now. None: it has ended."""
    row = await session.scalar(
        update(CredentialRow)
        .where(CredentialRow.id == credential_id, *_living())
        .values(expires_at=func.now() + lifetime)
        .returning(CredentialRow)
    )
    return None if row is None else _credential(row)


def _credential(row: CredentialRow) -> Credential:
    return Credential(
        id=row.id,
        endpoint=Endpoint(row.endpoint),
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _living() -> tuple[ColumnElement[bool], ...]:
    return (CredentialRow.revoked_at.is_(None), CredentialRow.expires_at > func.now())


def _valid() -> tuple[ColumnElement[bool], ...]:
    """Living, of a living user, for a cluster that is not being deleted."""
    return (
        *_living(),
        UserRow.id == CredentialRow.user_id,
        UserRow.disabled_at.is_(None),
        ClusterRow.id == CredentialRow.cluster_id,
        ClusterRow.phase.not_in([Phase.DELETING, Phase.DELETED]),
    )


async def by_secret(session: ReadSession, secret_hash: bytes) -> Grant | None:
    """Find what a secret allows, by the database's clock. None: nothing, or nothing any more."""
    found = (
        await session.execute(
            select(
                CredentialRow.id,
                CredentialRow.user_id,
                UserRow.username,
                ClusterRow.id,
                ClusterRow.name,
                ClusterRow.phase,
                AccessRow.attempt_id,
                CredentialRow.expires_at,
            )
            .outerjoin(AccessRow, AccessRow.cluster_id == CredentialRow.cluster_id)
            .where(CredentialRow.secret_hash == secret_hash, *_valid())
        )
    ).one_or_none()
    if found is None:
        return None
    return Grant(*found[:5], Phase(found[5]), *found[6:])


async def ended_among(session: ReadSession, ids: set[UUID]) -> set[UUID]:
    """Give those credentials of these that would not be accepted any more."""
    asked = select(CredentialRow.id).where(CredentialRow.id.in_(ids))
    valid = select(CredentialRow.id).where(CredentialRow.id.in_(ids), *_valid())
    return set(await session.scalars(asked.except_(valid)))


async def touch(session: WriteSession, ids: set[UUID]) -> None:
    """Note that credentials were used, of each at most once in `TOUCH_AFTER`."""
    last = CredentialRow.last_used_at
    await session.execute(
        update(CredentialRow)
        .where(
            CredentialRow.id.in_(ids),
            or_(last.is_(None), last < func.now() - TOUCH_AFTER),
        )
        .values(last_used_at=func.now())
    )


@dataclass(frozen=True, slots=True)
class Page:
    """Some credentials, and where the next ones begin."""

    items: list[Credential]
    next_cursor: str | None


async def of_cluster(
    session: ReadSession,
    cluster_id: UUID,
    user_id: UUID,
    *,
    limit: int,
    cursor: str | None = None,
) -> Page:
    """Give the credentials of a user that still open a cluster, newest first.

    Raises:
        ValidationFailed: the cursor is none of ours.
    """
    row = CredentialRow
    query = select(row).where(row.cluster_id == cluster_id, row.user_id == user_id, *_living())
    if cursor is not None:
        query = query.where(tuple_(row.created_at, row.id) < tuple_(*cursors.decode(cursor)))
    query = query.order_by(row.created_at.desc(), row.id.desc()).limit(limit + 1)
    items = [_credential(found) for found in await session.scalars(query)]
    return Page(*cursors.page_of(items, limit))


async def count_living(session: ReadSession, cluster_id: UUID, user_id: UUID) -> int:
    """Count the credentials of a user that still open a cluster."""
    row = CredentialRow
    living = select(func.count()).where(
        row.cluster_id == cluster_id, row.user_id == user_id, *_living()
    )
    return (await session.execute(living)).scalar_one()


async def endpoint_of(
    session: ReadSession, *, cluster_id: UUID, user_id: UUID, credential_id: UUID
) -> Endpoint | None:
    """Give where a living credential is used. None: the user has no such one for this cluster."""
    found = await session.scalar(
        select(CredentialRow.endpoint).where(
            CredentialRow.id == credential_id,
            CredentialRow.cluster_id == cluster_id,
            CredentialRow.user_id == user_id,
            *_living(),
        )
    )
    return None if found is None else Endpoint(found)


async def revoke(
    session: WriteSession, *, cluster_id: UUID, user_id: UUID, credential_id: UUID
) -> Credential | None:
    """End a credential. None: the user has no such one for this cluster."""
    row = await session.scalar(
        update(CredentialRow)
        .where(
            CredentialRow.id == credential_id,
            CredentialRow.cluster_id == cluster_id,
            CredentialRow.user_id == user_id,
            *_living(),
        )
        .values(revoked_at=func.now())
        .returning(CredentialRow)
    )
    if row is None:
        return None
    await tell_revoked(session, credential_id)
    return _credential(row)


async def end_of_cluster(session: WriteSession, cluster_id: UUID) -> None:
    """End all credentials of a cluster that is deleted in this transaction.

    No hint: the proxy has refused them since the phase became `deleting`.
    """
    await session.execute(
        update(CredentialRow)
        .where(CredentialRow.cluster_id == cluster_id, CredentialRow.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )


async def lock_clusters_of(session: WriteSession, user_id: UUID) -> list[UUID]:
    """Lock the clusters that a user's credentials open, but deleted ones, in the order of ids.

    Whoever ends credentials and says so in the log of their clusters locks the clusters first:
    a delete does, and two transactions that lock in another order wait for each other for ever.
    """
    opened = select(CredentialRow.cluster_id).where(CredentialRow.user_id == user_id, *_living())
    rows = await session.scalars(
        select(ClusterRow.id)
        .where(ClusterRow.id.in_(opened), ClusterRow.phase != Phase.DELETED)
        .order_by(ClusterRow.id)
        .with_for_update()
    )
    return list(rows)


async def revoke_all_of(session: WriteSession, user_id: UUID) -> list[tuple[UUID, UUID, Endpoint]]:
    """End all credentials of a user; give the cluster, id and endpoint of each."""
    rows = await session.execute(
        update(CredentialRow)
        .where(CredentialRow.user_id == user_id, *_living())
        .values(revoked_at=func.now())
        .returning(CredentialRow.cluster_id, CredentialRow.id, CredentialRow.endpoint)
    )
    ended = [(cluster, credential, Endpoint(endpoint)) for cluster, credential, endpoint in rows]
    await tell_all_revoked(session, [credential_id for _, credential_id, _ in ended])
    return ended
