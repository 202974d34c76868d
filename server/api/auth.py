"""Who is calling, and may a page of this origin act for them."""

from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection
from starlette.responses import Response

from pyk8s.wire.accounts import Scope
from server.api.arrival import peer
from server.api.state import State
from server.commands.passwords import share_of_address
from server.config import Settings
from server.errors import CrossOrigin, Forbidden, Unauthenticated
from server.secrets import BEARER_PREFIX, hash_secret
from server.store import accounts
from server.store.accounts import Principal
from server.store.database import ReadSession
from server.transport.cookies import cookies_of

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_SECRET_LENGTH = 128
DEVICE_SECONDS = 365 * 24 * 3600
"""Browsers keep a cookie 400 days at most."""


def cookie_name(settings: Settings) -> str:
    """Name the session's cookie; under TLS the browser enforces what the prefix promises."""
    return "__Host-pyk8s_session" if settings.secure_cookies else "pyk8s_session"


def set_cookie(response: Response, settings: Settings, secret: str) -> None:
    """Give the browser its session."""
    response.set_cookie(
        cookie_name(settings),
        secret,
        max_age=int(settings.session_hours * 3600),
        path="/",
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies,
    )


def device_cookie_name(settings: Settings) -> str:
    """Name the cookie by which a device is recognised before somebody signs in."""
    return "__Host-pyk8s_device" if settings.secure_cookies else "pyk8s_device"


def set_device_cookie(response: Response, settings: Settings, mark: str) -> None:
    """Let the browser be recognised at the next sign-in. It opens no session."""
    response.set_cookie(
        device_cookie_name(settings),
        mark,
        max_age=DEVICE_SECONDS,
        path="/",
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies,
    )


def device_mark(connection: HTTPConnection[State]) -> str:
    """Return what a browser keeps to be recognised at a sign-in, or an empty text."""
    return _cookie(connection, device_cookie_name(connection.state["settings"]))


def clear_cookie(response: Response, settings: Settings) -> None:
    """Take the session away from the browser."""
    response.delete_cookie(
        cookie_name(settings),
        path="/",
        httponly=True,
        samesite="strict",
        secure=settings.secure_cookies,
    )


async def authenticate(connection: HTTPConnection[State], *scopes: Scope) -> Principal:
    """Find out who calls, and require scopes.

    Raises:
        Unauthenticated: nobody, or a session or token that has ended.
        CrossOrigin: the cookie came with a page of another site.
        Forbidden: a scope is missing.
    """
    principal = await _find(connection)
    missing = set(scopes) - principal.scopes
    if missing:
        names = ", ".join(sorted(missing))
        raise Forbidden(f"this needs the scope {names}", fix="use a token that has it")
    return principal


async def _find(connection: HTTPConnection[State]) -> Principal:
    state = connection.state
    authorization = connection.headers.get("authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.startswith(BEARER_PREFIX):
            raise Unauthenticated(
                "the Authorization header has no token of this server",
                fix="send `Authorization: Bearer pyk8s_...`; make one with `pyk8s login`",
            )
        principal = await _look_up(connection, secret, accounts.by_token)
    else:
        secret = _cookie(connection, cookie_name(state["settings"]))
        nobody = Unauthenticated("nobody is signed in", fix="sign in, or send a token")
        if not secret and "origin" not in connection.headers:
            raise nobody  # a program that forgot its token: its origin is not what is wrong
        require_same_origin(connection)
        if not secret:
            raise nobody
        principal = await _look_up(connection, secret, accounts.by_session)
    if principal is None:
        raise Unauthenticated(
            "the session or token has ended", fix="sign in again, or make a new token"
        )
    return principal


def _cookie(connection: HTTPConnection[State], name: str) -> str:
    """Return a cookie, the last where several have the name, or an empty text."""
    return next(reversed(cookies_of(connection.headers.raw, name.encode())), "")


async def _look_up(
    connection: HTTPConnection[State],
    secret: str,
    find: Callable[[ReadSession, bytes], Awaitable[Principal | None]],
) -> Principal | None:
    """Find whose a secret is. What else the request asks of the database waits in his share."""
    state = connection.state
    database, recent = state["database"], state["recent"]
    hashed = hash_secret(secret[:MAX_SECRET_LENGTH])
    known = recent.user_of(hashed)
    if known is not None:
        asked = database.for_people(known)
    else:
        asked = database.for_strangers(share_of_address("secret", peer(connection)).path)
    async with asked.transaction() as session:
        principal = await find(session, hashed)
        if principal is not None:
            await accounts.touch(session, principal)
    if principal is None:
        recent.forget(hashed)
    else:
        recent.note(hashed, principal.user.id)
        state["database"] = database.for_people(principal.user.id)  # of this request only
    return principal


def require_same_origin(connection: HTTPConnection[State]) -> None:
    """Let a browser act only for pages of our own origins.

    A WebSocket handshake needs an Origin that is on the list, exactly. Else browsers send two
    headers, which both have to agree: an Origin that is on the list, or Sec-Fetch-Site that says
    `same-origin` with an Origin of the host that was asked. A program sends neither, and has no
    cookie that it was not given on purpose.

    Raises:
        CrossOrigin: another site, or a WebSocket without Origin.
    """
    origin = connection.headers.get("origin")
    allowed = connection.state["settings"].origins
    if connection.scope["type"] == "websocket":
        if origin not in allowed:
            raise _cross_origin(origin)
        return
    if connection.scope["method"] in SAFE_METHODS:
        return
    site = connection.headers.get("sec-fetch-site")
    if origin is None:
        is_own = site in {None, "same-origin"}
    else:
        is_own = origin in allowed or (site == "same-origin" and _is_of_host(connection, origin))
    if not is_own:
        raise _cross_origin(origin)


def _is_of_host(connection: HTTPConnection[State], origin: str) -> bool:
    """Return whether an origin is that of the host that was asked, whoever ends its TLS."""
    host = connection.headers.get("host", "").lower()
    return origin.lower() in {f"http://{host}", f"https://{host}"}


def require_own_page(connection: HTTPConnection[State], principal: Principal) -> None:
    """Let a GET that makes something with the cookie come from our own page or address bar only.

    SameSite=Strict lets a page on another port of the same host through, which is the same site;
    an image on it is enough for a GET. Browsers say where they ask from in Sec-Fetch-Site, those
    before 2023 do not; a program sends no such header.

    Raises:
        CrossOrigin: a page of another origin asks.
    """
    site = connection.headers.get("sec-fetch-site")
    if principal.session_id is not None and site not in {None, "same-origin", "none"}:
        raise _cross_origin(connection.headers.get("origin"))


def _cross_origin(origin: str | None) -> CrossOrigin:
    shown = (origin or "none")[:100]
    return CrossOrigin(
        f"the origin {shown!r} is not one of this server's",
        fix="open the page at the server's own address, send a token instead of a cookie, or let "
        "the operator add the origin to PYK8S_ALLOWED_ORIGINS",
    )
