"""Register, sign in and out, and give programs tokens."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import uuid_utils.compat as uuids

from pyk8s.wire.accounts import CreatedToken, CreateToken, Login, Register, Scope, User
from pyk8s.wire.service import FieldError
from server.commands.throttle import Throttle
from server.errors import Forbidden, NotFound, SignupClosed, UsernameTaken, WrongCredentials
from server.secrets import BEARER_PREFIX, Passwords, hash_secret, new_secret
from server.store import accounts
from server.store.accounts import Principal
from server.store.database import Database

MAX_AGENT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user and the secret of the cookie that proves it."""

    user: User
    secret: str


async def register(
    database: Database,
    passwords: Passwords,
    *,
    request: Register,
    signup: bool,
    user_agent: str,
    session_lifetime: timedelta,
) -> SignedIn:
    """Make an account and sign it in.

    Raises:
        SignupClosed: only the operator makes accounts here, and there is one already.
        UsernameTaken: somebody has the name.
    """
    hashed = await passwords.hash(request.password.get_secret_value())
    async with database.transaction() as session:
        try:
            user = await accounts.add_user(
                session,
                user_id=uuids.uuid7(),
                username=request.username,
                password_hash=hashed,
                signup=signup,
            )
        except PermissionError as error:
            raise SignupClosed(
                "this server takes no new accounts",
                fix="ask its operator, who may set PYK8S_SIGNUP=open",
            ) from error
    if user is None:
        raise UsernameTaken(
            f"the user name {request.username!r} is taken",
            fix="choose another one, or sign in if it is yours",
            errors=[FieldError(field="username", message="taken", input=request.username)],
        )
    return await _open(database, user, user_agent, session_lifetime)


async def login(
    database: Database,
    passwords: Passwords,
    throttle: Throttle,
    *,
    request: Login,
    user_agent: str,
    session_lifetime: timedelta,
) -> SignedIn:
    """Check a password and open a session.

    Raises:
        WrongCredentials: no such account with this password.
        TooManyAttempts: too many wrong ones lately.
    """
    username = request.username.lower()
    throttle.admit(username)
    async with database.reading() as session:
        found = await accounts.password_of(session, username)
    stored = found[1] if found is not None else None
    if not await passwords.verify(request.password.get_secret_value(), stored) or found is None:
        throttle.failed(username)
        raise WrongCredentials(
            "no account has this name with this password",
            fix="try again; an operator can make a new account if the password is lost",
        )
    throttle.succeeded(username)
    return await _open(database, found[0], user_agent, session_lifetime)


async def _open(database: Database, user: User, user_agent: str, lifetime: timedelta) -> SignedIn:
    secret = new_secret()
    async with database.transaction() as session:
        await accounts.open_session(
            session,
            session_id=uuids.uuid7(),
            user_id=user.id,
            secret_hash=hash_secret(secret),
            user_agent=user_agent[:MAX_AGENT_LENGTH],
            lifetime=lifetime,
        )
    return SignedIn(user, secret)


async def logout(database: Database, principal: Principal) -> None:
    """End the caller's session, or the token it came with."""
    async with database.transaction() as session:
        if principal.session_id is not None:
            await accounts.revoke_session(session, principal.session_id)
        elif principal.token_id is not None:
            await accounts.revoke_token(
                session, user_id=principal.user.id, token_id=principal.token_id
            )


async def create_token(
    database: Database, *, principal: Principal, request: CreateToken
) -> CreatedToken:
    """Make a token; its scopes are at most the caller's own.

    Raises:
        Forbidden: the caller lacks a scope that the token should have.
    """
    beyond = set(request.scopes) - principal.scopes
    if beyond:
        names = ", ".join(sorted(beyond))
        raise Forbidden(
            f"you do not have the scope {names} yourself",
            fix="leave it out",
            errors=[FieldError(field="scopes", message="more than your own", input=sorted(beyond))],
        )
    secret = new_secret(BEARER_PREFIX)
    lifetime = (
        None
        if request.expires_in_seconds is None
        else timedelta(seconds=request.expires_in_seconds)
    )
    async with database.transaction() as session:
        token = await accounts.add_token(
            session,
            token_id=uuids.uuid7(),
            user_id=principal.user.id,
            name=request.name,
            secret_hash=hash_secret(secret),
            scopes=list[Scope](request.scopes),
            lifetime=lifetime,
        )
    return CreatedToken(**token.model_dump(), token=secret)


async def revoke_token(database: Database, *, principal: Principal, token_id: UUID) -> None:
    """End one of the caller's tokens.

    Raises:
        NotFound: the caller has no such token.
    """
    async with database.transaction() as session:
        if not await accounts.revoke_token(session, user_id=principal.user.id, token_id=token_id):
            raise NotFound("you have no such token", fix="see the list of your tokens")
