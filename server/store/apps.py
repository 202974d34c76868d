"""Published apps: which port of which cluster a host name stands for."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update

from pyk8s.wire.apps import App, AppKind, PublishApp
from pyk8s.wire.cluster import Phase
from server.store.access_tables import AccessRow, AppRow
from server.store.database import ReadSession, WriteSession
from server.store.hints import tell_all_revoked, tell_revoked
from server.store.tables import ClusterRow, UserRow


@dataclass(frozen=True, slots=True)
class Published:
    """An app as the listener sees it, with the state of its cluster now."""

    id: UUID
    cluster_id: UUID
    user_id: UUID
    username: str
    kind: AppKind
    namespace: str
    target: str
    port: int
    generation: int
    phase: Phase
    attempt_id: UUID | None
    """Whose way in there is now. None: the cluster cannot be reached."""


async def add(
    session: WriteSession,
    *,
    app_id: UUID,
    cluster_id: UUID,
    user_id: UUID,
    host_label: str,
    asked: PublishApp,
    url: str,
) -> App:
    """Keep an app."""
    row = AppRow(
        id=app_id,
        cluster_id=cluster_id,
        user_id=user_id,
        host_label=host_label,
        name=asked.name or asked.target,
        kind=asked.kind,
        namespace=asked.namespace,
        target=asked.target,
        port=asked.port,
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return _app(row, url)


def _app(row: AppRow, url: str) -> App:
    return App(
        id=row.id,
        name=row.name,
        kind=AppKind(row.kind),
        namespace=row.namespace,
        target=row.target,
        port=row.port,
        url=url,
        created_at=row.created_at,
    )


async def of_cluster(
    session: ReadSession, cluster_id: UUID, user_id: UUID, url_of: Callable[[str], str]
) -> list[App]:
    """Give a user's apps of a cluster, newest first."""
    rows = await session.scalars(
        select(AppRow)
        .where(
            AppRow.cluster_id == cluster_id,
            AppRow.user_id == user_id,
            AppRow.removed_at.is_(None),
        )
        .order_by(AppRow.created_at.desc(), AppRow.id)
    )
    return [_app(row, url_of(row.host_label)) for row in rows]


def _openable() -> tuple[ColumnElement[bool], ...]:
    """Published, by a living user, in a cluster that is not being deleted."""
    return (
        AppRow.removed_at.is_(None),
        UserRow.id == AppRow.user_id,
        UserRow.disabled_at.is_(None),
        ClusterRow.id == AppRow.cluster_id,
        ClusterRow.phase.not_in([Phase.DELETING, Phase.DELETED]),
    )


async def by_host(session: ReadSession, host_label: str) -> Published | None:
    """Find what a host name stands for. None: nothing, or nothing any more."""
    found = (
        await session.execute(
            select(AppRow, UserRow.username, ClusterRow.phase, AccessRow.attempt_id)
            .outerjoin(AccessRow, AccessRow.cluster_id == AppRow.cluster_id)
            .where(
                AppRow.host_label == host_label,
                *_openable(),
            )
        )
    ).one_or_none()
    if found is None:
        return None
    row, username, phase, attempt_id = found
    return Published(
        id=row.id,
        cluster_id=row.cluster_id,
        user_id=row.user_id,
        username=username,
        kind=AppKind(row.kind),
        namespace=row.namespace,
        target=row.target,
        port=row.port,
        generation=row.generation,
        phase=Phase(phase),
        attempt_id=attempt_id,
    )


async def living_among(
    session: ReadSession, app_ids: Collection[UUID]
) -> list[tuple[UUID, UUID, int]]:
    """Give those of some apps that can be opened, each with its cluster and its generation."""
    rows = await session.execute(
        select(AppRow.id, AppRow.cluster_id, AppRow.generation).where(
            AppRow.id.in_(app_ids),
            *_openable(),
        )
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def generation_of(
    session: ReadSession, *, cluster_id: UUID, user_id: UUID, app_id: UUID
) -> tuple[str, int] | None:
    """Give an app's host label and the generation of its links. None: the user has no such app."""
    found = (
        await session.execute(
            select(AppRow.host_label, AppRow.generation).where(
                AppRow.id == app_id,
                AppRow.cluster_id == cluster_id,
                AppRow.user_id == user_id,
                AppRow.removed_at.is_(None),
            )
        )
    ).one_or_none()
    return None if found is None else (found[0], found[1])


async def remove(session: WriteSession, *, cluster_id: UUID, user_id: UUID, app_id: UUID) -> bool:
    """Take an app away. False: the user has no such one."""
    found = await session.scalar(
        update(AppRow)
        .where(
            AppRow.id == app_id,
            AppRow.cluster_id == cluster_id,
            AppRow.user_id == user_id,
            AppRow.removed_at.is_(None),
        )
        .values(removed_at=func.now())
        .returning(AppRow.id)
    )
    if found is not None:
        await tell_revoked(session, app_id)
    return found is not None


async def end_of_cluster(session: WriteSession, cluster_id: UUID) -> None:
    """Take away all apps of a cluster that is deleted in this transaction, and so their links."""
    await session.execute(
        update(AppRow)
        .where(AppRow.cluster_id == cluster_id, AppRow.removed_at.is_(None))
        .values(removed_at=func.now())
    )


async def end_links_of(session: WriteSession, user_id: UUID, *, app_id: UUID | None = None) -> None:
    """Make the links of a user's apps, or of one, open nothing any more."""
    which = [AppRow.user_id == user_id, AppRow.removed_at.is_(None)]
    if app_id is not None:
        which.append(AppRow.id == app_id)
    ended = await session.scalars(
        update(AppRow).where(*which).values(generation=AppRow.generation + 1).returning(AppRow.id)
    )
    await tell_all_revoked(session, ended.all())
