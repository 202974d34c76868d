"""Sign in and out. A password is used once, for a token that is named after this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from pyk8s.client.config import Login
from pyk8s.client.errors import ApiProblem
from pyk8s.client.http import Http, understand
from pyk8s.wire.accounts import CreatedToken, Me, Scope, Token, TokenList, UserAnswer


class Tokens:
    """The caller's tokens."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def create(
        self, name: str, scopes: Sequence[Scope | str], *, expires_in_seconds: int | None = None
    ) -> CreatedToken:
        """Make a token. Its secret is in the answer, and nowhere else ever again.

        Raises:
            Invalid: a scope or the lifetime is wrong.
            Forbidden: the caller does not have such a scope.
        """
        asked = {"name": name, "scopes": list(scopes), "expires_in_seconds": expires_in_seconds}
        document = await self._http.document("POST", "/tokens", body=asked)
        return understand(CreatedToken, document)

    async def list(self) -> Sequence[Token]:
        """Give all tokens, without their secrets."""
        return understand(TokenList, {"items": await self._http.items("/tokens")}).items

    async def revoke(self, token_id: UUID | str) -> None:
        """End a token; from then on nobody can use it.

        Raises:
            NotFound: the caller has no such token.
        """
        await self._http.document("DELETE", f"/tokens/{token_id}")


async def sign_in(http: Http, username: str, password: str, *, device: str) -> Login:
    """Prove who one is, and get a token named `device` with every scope that one has.

    Raises:
        ConfigProblem: the server is another machine, reached without TLS.
        Unauthenticated: the name or the password is wrong.
        OverCapacity: too many attempts; `retry_after_seconds` says when to come back.
    """
    return await _enter(http, "/auth/login", username, password, device=device)


async def register(
    http: Http, username: str, password: str, *, device: str, setup_code: str | None = None
) -> Login:
    """Make an account and sign in to it as `sign_in` does.

    Raises:
        Forbidden: the server takes no new accounts, or `setup_code` is missing or wrong.
        Conflict: the name is taken.
        Invalid: the name or the password does not follow the rules.
    """
    # A server that is older than the code refuses a field that it does not know.
    more = {} if setup_code is None else {"setup_code": setup_code}
    return await _enter(http, "/auth/register", username, password, device=device, **more)


async def _enter(
    http: Http, path: str, username: str, password: str, *, device: str, **more: str
) -> Login:
    # The cookie is the only proof until there is a token; it needs the server's own Origin.
    http.endpoint.require_private()
    anonymous = http.anonymous()
    try:
        asked = {"username": username, "password": password, **more}
        user = understand(UserAnswer, await anonymous.document("POST", path, body=asked)).user
        me = understand(Me, await anonymous.document("GET", "/auth/me"))
        wanted = {"name": device, "scopes": [*me.scopes]}
        created = understand(CreatedToken, await _same_origin(anonymous, "/tokens", wanted))
        await _same_origin(anonymous, "/auth/logout", None)
    finally:
        await anonymous.aclose()
    return Login(username=user.username, token=created.token, token_id=str(created.id))


async def _same_origin(http: Http, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
    return await http.document("POST", path, body=body, headers={"Origin": http.origin})


async def sign_out(http: Http, login: Login) -> None:
    """Revoke the token of `login`. One that the server no longer knows is a success.

    Raises:
        Unreachable: the token still works.
    """
    mine = http.speaking_to(replace(http.endpoint, token=login.token))
    try:
        await mine.document("DELETE", f"/tokens/{login.token_id}")
    except ApiProblem as problem:
        if problem.status not in {401, 404}:
            raise
    finally:
        await mine.aclose()
