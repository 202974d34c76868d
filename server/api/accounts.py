"""Register, sign in and out, who am I, tokens."""

from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.accounts import (
    CreateToken,
    Login,
    Me,
    Quota,
    QuotaUsage,
    Register,
    TokenList,
    UserAnswer,
)
from pyk8s.wire.base import Ask
from server.api.arrival import peer, shows_others
from server.api.auth import (
    authenticate,
    clear_cookie,
    device_mark,
    require_same_origin,
    set_cookie,
    set_device_cookie,
)
from server.api.state import State, session_lifetime
from server.api.wire import PageQuery, answer, next_page, path_id, printable, read_body, read_query
from server.commands import accounts as commands
from server.commands.accounts import Admission, SignedIn
from server.commands.credentials import logout_everywhere
from server.secrets import hash_secret
from server.store import accounts, clusters


class LogoutQuery(Ask):
    """Of what to sign out."""

    everywhere: bool = False


def admission_of(request: Request[State]) -> Admission:
    """Say who may register by this request; the first person always may."""
    settings = request.state["settings"]
    reached_by_others = shows_others(request.headers, page_host=settings.page_host)
    return Admission(
        is_open=settings.signup == "open"
        and (settings.signup_public_ok == "yes" or not reached_by_others),
        needs_setup_code=settings.setup_code == "always"
        or settings.reached_by_others is not None
        or reached_by_others,
    )


async def register(request: Request[State]) -> Response:
    """Make an account and sign it in."""
    require_same_origin(request)
    state = request.state
    signed_in = await commands.register(
        state["database"],
        state["passwords"],
        state["throttle"],
        state["setup_code"],
        request=await read_body(request, Register),
        admission=admission_of(request),
        address=peer(request),
        user_agent=printable(request.headers.get("user-agent", "")),
        session_lifetime=session_lifetime(state["settings"]),
    )
    return _with_session(request, signed_in, status=201)


async def login(request: Request[State]) -> Response:
    """Check a password and open a session."""
    require_same_origin(request)
    state = request.state
    asked = await read_body(request, Login)
    signed_in = await commands.login(
        state["database"],
        state["passwords"],
        state["throttle"],
        request=asked,
        device=state["devices"].recognise(device_mark(request), asked.username.lower()),
        address=peer(request),
        user_agent=printable(request.headers.get("user-agent", "")),
        session_lifetime=session_lifetime(state["settings"]),
    )
    return _with_session(request, signed_in, status=200)


def _with_session(request: Request[State], signed_in: SignedIn, *, status: int) -> Response:
    settings, devices = request.state["settings"], request.state["devices"]
    response = answer(UserAnswer(user=signed_in.user), status)
    set_cookie(response, settings, signed_in.secret)
    request.state["recent"].note(hash_secret(signed_in.secret), signed_in.user.id)
    if devices.recognise(device_mark(request), signed_in.user.username) is None:
        set_device_cookie(response, settings, devices.issue(signed_in.user.username))
    return response


async def logout(request: Request[State]) -> Response:
    """End the session; its streams close within a second.

    `everywhere`: all sessions, tokens and credentials of clusters that the caller has.
    """
    principal = await authenticate(request)
    state = request.state
    if read_query(request, LogoutQuery).everywhere:
        await logout_everywhere(state["database"], state["sealer"], user_id=principal.user.id)
    else:
        await commands.logout(state["database"], principal)
    response = Response(status_code=204)
    clear_cookie(response, request.state["settings"])
    return response


async def me(request: Request[State]) -> Response:
    """Tell who the caller is and what they may do."""
    principal = await authenticate(request)
    settings = request.state["settings"]
    async with request.state["database"].reading() as session:
        used = await clusters.count_living(session, principal.user.id)
    return answer(
        Me(
            user=principal.user,
            scopes=sorted(principal.scopes),
            quota=Quota(
                clusters=settings.max_clusters_per_user, max_ttl_seconds=settings.max_ttl_seconds
            ),
            usage=QuotaUsage(clusters=used),
        )
    )


async def create_token(request: Request[State]) -> Response:
    """Make a token; its secret is told this once."""
    principal = await authenticate(request)
    token = await commands.create_token(
        request.state["database"],
        principal=principal,
        request=await read_body(request, CreateToken),
    )
    return answer(token, 201)


async def list_tokens(request: Request[State]) -> Response:
    """List the caller's tokens, newest first."""
    principal = await authenticate(request)
    query = read_query(request, PageQuery)
    async with request.state["database"].reading() as session:
        page = await accounts.tokens_of(
            session, principal.user.id, limit=query.limit, cursor=query.cursor
        )
    listed = TokenList(items=page.items, next_cursor=page.next_cursor)
    return answer(listed, 200, next_page(request, page.next_cursor))


async def revoke_token(request: Request[State]) -> Response:
    """End a token."""
    principal = await authenticate(request)
    token_id = path_id(request, "token_id", "token")
    await commands.revoke_token(request.state["database"], principal=principal, token_id=token_id)
    return Response(status_code=204)
