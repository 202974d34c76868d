"""Users, sessions and tokens."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from pyk8s.wire.accounts import Scope, Token, User
from server.store import cursors
from server.store.database import ReadSession, WriteSession
from server.store.hints import tell_all_revoked, tell_revoked
from server.store.tables import POOL, SessionRow, TokenRow, UserRow

TOUCH_AFTER = timedelta(seconds=60)
"""`last_used_at` is written at most this often, so that reading does not become writing."""


MAX_SESSIONS = 50
"""Signed-in browsers of one user. More than a person has; a script that signs in ends its own."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: a user, by a session (all rights) or by a token (its scopes)."""

    user: User
    scopes: frozenset[Scope]
    session_id: UUID | None
    token_id: UUID | None
    expires_at: datetime | None

    @property
    def credential_id(self) -> UUID | None:
        """The session or token."""
        return self.session_id or self.token_id


def scopes_of(user: User) -> frozenset[Scope]:
    """Give what a user may do at most."""
    return frozenset(Scope) if user.is_admin else frozenset(Scope) - {Scope.ADMIN}


def _user(row: UserRow) -> User:
    return User(id=row.id, username=row.username, is_admin=row.is_admin, created_at=row.created_at)


async def has_users(session: ReadSession) -> bool:
    """Tell whether anybody has registered."""
    return await session.scalar(select(UserRow.id).where(UserRow.id != POOL).limit(1)) is not None


async def is_taken(session: ReadSession, username: str) -> bool:
    """Tell whether an account has the name."""
    return await session.scalar(select(UserRow.id).where(UserRow.username == username)) is not None


async def add_user(
    session: WriteSession, *, user_id: UUID, username: str, password_hash: str, signup: bool
) -> User | None:
    """Make an account, the first one an admin's. None: the name is taken.

    With `signup` false only the first account is made; the table's lock decides races.

    Raises:
        PermissionError: `signup` is false and somebody is there already.
    """
    await session.execute(select(func.pg_advisory_xact_lock(_FIRST_USER_LOCK)))
    is_first = not await has_users(session)
    if not (is_first or signup):
        raise PermissionError
    row = await session.scalar(
        insert(UserRow)
        .values(id=user_id, username=username, password_hash=password_hash, is_admin=is_first)
        .on_conflict_do_nothing(index_elements=[UserRow.username])
        .returning(UserRow)
    )
    return _user(row) if row is not None else None


_FIRST_USER_LOCK = 0x70796B38  # any constant; only `add_user` takes it


async def password_of(session: ReadSession, username: str) -> tuple[User, str] | None:
    """Give the account of a name with its password hash, if it is there and not disabled."""
    row = await session.scalar(
        select(UserRow).where(UserRow.username == username, UserRow.disabled_at.is_(None))
    )
    return (_user(row), row.password_hash) if row is not None else None


async def open_session(
    session: WriteSession,
    *,
    session_id: UUID,
    user_id: UUID,
    secret_hash: bytes,
    user_agent: str,
    lifetime: timedelta,
) -> None:
    """Keep a signed-in browser. Those beyond `MAX_SESSIONS` that were used least lately end."""
    of_user = select(SessionRow.id).where(
        SessionRow.user_id == user_id,
        SessionRow.revoked_at.is_(None),
        SessionRow.expires_at > func.now(),
    )
    surplus = of_user.order_by(SessionRow.last_used_at.desc()).offset(MAX_SESSIONS - 1)
    ended = await session.scalars(
        update(SessionRow)
        .where(SessionRow.id.in_(surplus))
        .values(revoked_at=func.now())
        .returning(SessionRow.id)
    )
    await tell_all_revoked(session, ended.all())
    session.add(
        SessionRow(
            id=session_id,
            user_id=user_id,
            secret_hash=secret_hash,
            user_agent=user_agent,
            expires_at=func.now() + lifetime,
        )
    )


async def revoke_session(session: WriteSession, session_id: UUID) -> None:
    """Sign a browser out."""
    await session.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.revoked_at.is_(None))
        .values(revoked_at=func.now())
    )
    await tell_revoked(session, session_id)


def _living_session() -> tuple[ColumnElement[bool], ...]:
    return (
        SessionRow.revoked_at.is_(None),
        SessionRow.expires_at > func.now(),
        UserRow.id == SessionRow.user_id,
        UserRow.disabled_at.is_(None),
    )


def _living_token() -> tuple[ColumnElement[bool], ...]:
    return (
        TokenRow.revoked_at.is_(None),
        or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > func.now()),
        UserRow.id == TokenRow.user_id,
        UserRow.disabled_at.is_(None),
    )


async def by_session(session: ReadSession, secret_hash: bytes) -> Principal | None:
    """Find who a cookie belongs to, by the database's clock."""
    query = select(SessionRow, UserRow).where(
        SessionRow.secret_hash == secret_hash, *_living_session()
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, user = found[0], _user(found[1])
    return Principal(user, scopes_of(user), row.id, None, row.expires_at)


async def by_token(session: ReadSession, secret_hash: bytes) -> Principal | None:
    """Find who a bearer token belongs to, by the database's clock."""
    query = select(TokenRow, UserRow).where(TokenRow.secret_hash == secret_hash, *_living_token())
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    row, user = found[0], _user(found[1])
    scopes = frozenset(Scope(scope) for scope in row.scopes) & scopes_of(user)
    return Principal(user, scopes, None, row.id, row.expires_at)


async def valid_among(session: ReadSession, credential_ids: Collection[UUID | None]) -> set[UUID]:
    """Give those sessions and tokens of these that would still be accepted."""
    sessions = select(SessionRow.id).where(SessionRow.id.in_(credential_ids), *_living_session())
    tokens = select(TokenRow.id).where(TokenRow.id.in_(credential_ids), *_living_token())
    return set(await session.scalars(sessions.union_all(tokens)))


async def touch(session: WriteSession, principal: Principal) -> None:
    """Note that a token or session was used, at most once in `TOUCH_AFTER`."""
    table = SessionRow if principal.session_id is not None else TokenRow
    await session.execute(
        update(table)
        .where(
            table.id == principal.credential_id,
            or_(table.last_used_at.is_(None), table.last_used_at < func.now() - TOUCH_AFTER),
        )
        .values(last_used_at=func.now())
    )


def _token(row: TokenRow) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=[Scope(scope) for scope in row.scopes],
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


async def add_token(
    session: WriteSession,
    *,
    token_id: UUID,
    user_id: UUID,
    name: str,
    secret_hash: bytes,
    scopes: list[Scope],
    lifetime: timedelta | None,
) -> Token:
    """Keep a program's right."""
    row = await session.scalar(
        insert(TokenRow)
        .values(
            id=token_id,
            user_id=user_id,
            name=name,
            secret_hash=secret_hash,
            scopes=[scope.value for scope in scopes],
            expires_at=None if lifetime is None else func.now() + lifetime,
        )
        .returning(TokenRow)
    )
    if row is None:
        raise RuntimeError("an INSERT without conflict clause returned no row")
    return _token(row)


@dataclass(frozen=True, slots=True)
class TokenPage:
    """Some tokens, and where the next ones begin."""

    items: list[Token]
    next_cursor: str | None


async def tokens_of(
    session: ReadSession, user_id: UUID, *, limit: int, cursor: str | None = None
) -> TokenPage:
    """Give the tokens that a user could still use or has let expire, newest first.

    Raises:
        ValidationFailed: the cursor is none of ours.
    """
    query = select(TokenRow).where(TokenRow.user_id == user_id, TokenRow.revoked_at.is_(None))
    if cursor is not None:
        query = query.where(
            tuple_(TokenRow.created_at, TokenRow.id) < tuple_(*cursors.decode(cursor))
        )
    query = query.order_by(TokenRow.created_at.desc(), TokenRow.id.desc()).limit(limit + 1)
    items = [_token(row) for row in await session.scalars(query)]
    return TokenPage(*cursors.page_of(items, limit))


async def count_tokens(session: ReadSession, user_id: UUID) -> int:
    """Count the tokens that a user could still use."""
    living = select(func.count()).where(
        TokenRow.user_id == user_id,
        TokenRow.revoked_at.is_(None),
        or_(TokenRow.expires_at.is_(None), TokenRow.expires_at > func.now()),
    )
    return (await session.execute(living)).scalar_one()


async def revoke_token(session: WriteSession, *, user_id: UUID, token_id: UUID) -> bool:
    """End a token. False: the user has no such token."""
    found = await session.scalar(
        update(TokenRow)
        .where(TokenRow.id == token_id, TokenRow.user_id == user_id, TokenRow.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(TokenRow.id)
    )
    await tell_revoked(session, token_id)
    return found is not None


async def revoke_all_of(session: WriteSession, user_id: UUID) -> None:
    """End all sessions and tokens of a user."""
    for table in (SessionRow, TokenRow):
        ended = await session.scalars(
            update(table)
            .where(table.user_id == user_id, table.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .returning(table.id)
        )
        await tell_all_revoked(session, ended.all())
