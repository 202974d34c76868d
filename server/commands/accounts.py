"""Register, sign in and out, and give programs tokens."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import anyio
import anyio.to_thread
import uuid_utils.compat as uuids
from pydantic import SecretStr

from pyk8s.wire.accounts import CreatedToken, CreateToken, Login, Register, Scope, User
from pyk8s.wire.service import FieldError
from server.commands.passwords import Passwords, share_of_address, share_of_device
from server.commands.setup_code import SetupCode
from server.commands.throttle import Throttle
from server.errors import (
    Forbidden,
    NotFound,
    QuotaExceeded,
    SetupCodeRequired,
    SignupClosed,
    UsernameTaken,
    WrongCredentials,
)
from server.secrets import BEARER_PREFIX, hash_secret, new_secret
from server.store import accounts, clusters
from server.store.accounts import Principal
from server.store.database import Database, WriteSession

MAX_AGENT_LENGTH = 200
SETUP_CODE_FIX = (
    "send it as `setup_code`; the operator finds it in the server's log (./restart.sh --logs, or "
    "docker compose logs backend)"
)


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may register: `is_open`: everybody; otherwise the first person alone."""

    is_open: bool
    needs_setup_code: bool
    """Whether the first person has to prove that they run the server."""


MAX_TOKENS = 200
"""Living ones of one user: a list that a person can still look through."""

QUOTA_RETRY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user and the secret of the cookie that proves it."""

    user: User
    secret: str


async def register(
    database: Database,
    passwords: Passwords,
    throttle: Throttle,
    setup_code: SetupCode,
    *,
    request: Register,
    admission: Admission,
    address: str,
    user_agent: str,
    session_lifetime: timedelta,
) -> SignedIn:
    """Make an account and sign it in. What can be refused is refused before the costly hash.

    Raises:
        SetupCodeRequired: the first account needs the code, and it is missing or wrong.
        TooManyAttempts: too many wrong codes from this address lately.
        SignupClosed: only the operator makes accounts here, and there is one already.
        UsernameTaken: somebody has the name.
        SignInBusy: too many passwords wait already.
    """
    account = NewAccount(request.username, request.password, user_agent, session_lifetime)
    async with passwords.turn(share_of_address("register", address)):
        if not await _is_first(database, account, admission):
            return await _add(database, passwords, account, admission)
        if admission.needs_setup_code:
            _check_setup_code(setup_code, throttle, request.setup_code, address)
        async with setup_code.turn:  # of many at once one costs a hash
            if await _is_first(database, account, admission):
                signed_in = await _add(database, passwords, account, admission)
                await anyio.to_thread.run_sync(setup_code.forget)
                return signed_in
        return await _add(database, passwords, account, admission)


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is made of, with the session that signs it in."""

    username: str
    password: SecretStr
    user_agent: str
    session_lifetime: timedelta


async def _is_first(database: Database, account: NewAccount, admission: Admission) -> bool:
    """Return whether nobody has registered yet; raise if the account cannot be made."""
    async with database.reading() as session:
        is_first = not await accounts.has_users(session)
        if not (is_first or admission.is_open):
            raise _closed()
        if await accounts.is_taken(session, account.username):
            raise _taken(account.username)
    return is_first


async def _add(
    database: Database, passwords: Passwords, account: NewAccount, admission: Admission
) -> SignedIn:
    hashed = await passwords.hash(account.password.get_secret_value())
    async with database.transaction() as session:
        try:
            user = await accounts.add_user(
                session,
                user_id=uuids.uuid7(),
                username=account.username,
                password_hash=hashed,
                signup=admission.is_open,
            )
        except PermissionError as error:
            raise _closed() from error
        if user is None:
            raise _taken(account.username)
        return await _open(session, user, account.user_agent, account.session_lifetime)


def _check_setup_code(
    setup_code: SetupCode, throttle: Throttle, given: SecretStr | None, address: str
) -> None:
    """Raise unless the caller knows the code.

    The right code always passes: it has 100 random bits, so waiting would protect nothing, and a
    stranger behind the same proxy could keep the operator out.
    """
    if given is None or not given.get_secret_value().strip():
        raise SetupCodeRequired(
            "the first account of this server needs its setup code",
            fix=SETUP_CODE_FIX,
            errors=[FieldError(field="setup_code", message="is missing")],
        )
    if not setup_code.matches(given.get_secret_value()):
        throttle.count(f"setup code from {address}")
        raise SetupCodeRequired(
            "this is not the setup code of this server",
            fix=SETUP_CODE_FIX,
            errors=[
                FieldError(
                    field="setup_code", message="not the code of this server, which its log shows"
                )
            ],
        )


def _closed() -> SignupClosed:
    return SignupClosed(
        "this server takes no new accounts",
        fix="ask its operator, who may set PYK8S_SIGNUP=open",
    )


def _taken(username: str) -> UsernameTaken:
    return UsernameTaken(
        f"the user name {username!r} is taken",
        fix="choose another one, or sign in if it is yours",
        errors=[FieldError(field="username", message="taken", input=username)],
    )


async def login(
    database: Database,
    passwords: Passwords,
    throttle: Throttle,
    *,
    request: Login,
    device: str | None,
    address: str,
    user_agent: str,
    session_lifetime: timedelta,
) -> SignedIn:
    """Check a password and open a session.

    `device`: the id of a device in which the account has signed in before. Its wrong tries are
    counted apart, so that a stranger's do not keep the account's owner out.

    Raises:
        WrongCredentials: no such account with this password.
        TooManyAttempts: too many wrong ones lately.
        SignInBusy: too many passwords wait already.
    """
    username = request.username.lower()
    if device is None:
        key, share = f"account {username}", share_of_address("login", address)
    else:
        key, share = f"device {device}", share_of_device(username)
    async with throttle.attempt(key) as attempt, passwords.turn(share):
        async with database.reading() as session:
            found = await accounts.password_of(session, username)
        stored = found[1] if found is not None else None
        password = request.password.get_secret_value()
        attempt.is_right = await passwords.verify(password, stored)
    if not attempt.is_right or found is None:
        raise WrongCredentials(
            "no account has this name with this password",
            fix="try again; an operator can make a new account if the password is lost",
            limit=throttle.limit(key),
        )
    async with database.transaction() as session:
        return await _open(session, found[0], user_agent, session_lifetime)


async def _open(
    session: WriteSession, user: User, user_agent: str, lifetime: timedelta
) -> SignedIn:
    secret = new_secret()
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
        QuotaExceeded: the caller has as many tokens as one may have.
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
        await clusters.lock_owner(session, principal.user.id)
        if await accounts.count_tokens(session, principal.user.id) >= MAX_TOKENS:
            raise QuotaExceeded(
                f"you have {MAX_TOKENS} tokens",
                fix="revoke those that no program uses (pyk8s tokens list, pyk8s tokens revoke, or "
                "the page of your account), or give the next ones an end",
                retry_after=QUOTA_RETRY_SECONDS,
            )
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
