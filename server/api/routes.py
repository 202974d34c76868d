"""One table of all that the server answers; routing, OpenAPI and a test of the docs read it."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from pyk8s.wire import accounts as words
from pyk8s.wire.accounts import Scope
from pyk8s.wire.admin import DriftReport, PoolList, Repair, RepairDrift, SetPool
from pyk8s.wire.cluster import Cluster, ClusterList, CreateCluster, ExtendLease, Idle
from pyk8s.wire.frames import EventPage
from pyk8s.wire.service import Capacity, Health, ServerInfo, TemplateList
from pyk8s.wire.terminals import TerminalList
from pyk8s.wire.usage import Usage
from server.api import (
    accounts,
    admin,
    clusters,
    documents,
    events,
    metrics,
    readiness,
    service,
    stream,
    terminal_socket,
    terminals,
    well_known,
)
from server.api.access_endpoints import ACCESS, INSIDE
from server.api.compression import compressed, untransformed
from server.api.endpoint import API, BODY, CALLER, CLUSTER, UNSAFE, Endpoint, Errors, Handler
from server.api.problems import response_of
from server.api.revalidation import revalidated
from server.api.streams import TooManySockets
from server.api.wire import PageQuery, require_no_body
from server.errors import (
    ClusterAway,
    CrossOrigin,
    DatabaseBusy,
    DatabaseFull,
    DatabaseRestarting,
    KeyReused,
    NameTaken,
    NoEvidence,
    NoProvisioner,
    NoSuchTerminal,
    NotFound,
    NotReady,
    PhaseConflict,
    QuotaExceeded,
    ServedElsewhere,
    SetupCodeRequired,
    SignInBusy,
    SignupClosed,
    TemplateUnknown,
    TooManyAttempts,
    Unavailable,
    UnknownPosition,
    UpgradeRequired,
    UsernameTaken,
    ValidationFailed,
    VersionUnknown,
    WrongCredentials,
)

ENDPOINTS: Final = (
    Endpoint("GET", f"{API}/server", service.server, {200: ServerInfo}, public=True),
    Endpoint(
        "POST",
        f"{API}/auth/register",
        accounts.register,
        {201: words.UserAnswer},
        (
            *BODY,
            CrossOrigin,
            SignupClosed,
            SetupCodeRequired,
            UsernameTaken,
            TooManyAttempts,
            SignInBusy,
        ),
        body=words.Register,
        sends=("Set-Cookie",),
        public=True,
    ),
    Endpoint(
        "POST",
        f"{API}/auth/login",
        accounts.login,
        {200: words.UserAnswer},
        (*BODY, CrossOrigin, WrongCredentials, TooManyAttempts, SignInBusy),
        body=words.Login,
        sends=("Set-Cookie",),
        public=True,
    ),
    Endpoint(
        "POST",
        f"{API}/auth/logout",
        accounts.logout,
        {204: None},
        (*UNSAFE, ValidationFailed),
        query=accounts.LogoutQuery,
        sends=("Set-Cookie",),
    ),
    Endpoint("GET", f"{API}/auth/me", accounts.me, {200: words.Me}, CALLER),
    Endpoint(
        "POST",
        f"{API}/tokens",
        accounts.create_token,
        {201: words.CreatedToken},
        (*UNSAFE, *BODY, QuotaExceeded),
        body=words.CreateToken,
    ),
    Endpoint(
        "GET",
        f"{API}/tokens",
        accounts.list_tokens,
        {200: words.TokenList},
        CALLER,
        query=PageQuery,
        sends=("Link",),
    ),
    Endpoint(
        "DELETE",
        f"{API}/tokens/{{token_id}}",
        accounts.revoke_token,
        {204: None},
        (*UNSAFE, NotFound),
    ),
    Endpoint(
        "GET",
        f"{API}/templates",
        service.templates,
        {200: TemplateList, 304: None},
        CALLER,
        scope=Scope.CLUSTERS_READ,
        headers=("If-None-Match",),
        sends=("ETag",),
        revalidated=True,
        compressible=True,
    ),
    Endpoint(
        "GET",
        f"{API}/capacity",
        service.capacity,
        {200: Capacity},
        CALLER,
        scope=Scope.CLUSTERS_READ,
        compressible=True,
    ),
    Endpoint(
        "POST",
        f"{API}/clusters",
        clusters.create,
        {202: Cluster},
        (
            *UNSAFE,
            *BODY,
            TemplateUnknown,
            VersionUnknown,
            KeyReused,
            NameTaken,
            QuotaExceeded,
            NoProvisioner,
        ),
        body=CreateCluster,
        headers=("Idempotency-Key",),
        sends=("Location",),
        scope=Scope.CLUSTERS_WRITE,
    ),
    Endpoint(
        "GET",
        f"{API}/clusters",
        clusters.list_all,
        {200: ClusterList},
        (*CALLER, ValidationFailed),
        query=clusters.ListQuery,
        sends=("Link",),
        scope=Scope.CLUSTERS_READ,
        compressible=True,
    ),
    Endpoint(
        "GET",
        CLUSTER,
        clusters.get,
        {200: Cluster},
        (*CALLER, NotFound),
        scope=Scope.CLUSTERS_READ,
        compressible=True,
    ),
    Endpoint(
        "DELETE",
        CLUSTER,
        clusters.delete,
        {202: Cluster, 204: None},
        (*UNSAFE, NotFound),
        scope=Scope.CLUSTERS_WRITE,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/extend",
        clusters.extend,
        {202: Cluster},
        (*UNSAFE, *BODY, NotFound, PhaseConflict),
        body=ExtendLease,
        scope=Scope.CLUSTERS_WRITE,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/cancel",
        clusters.cancel,
        {202: Cluster},
        (*UNSAFE, NotFound, PhaseConflict),
        scope=Scope.CLUSTERS_WRITE,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/retry",
        clusters.retry,
        {202: Cluster},
        (*UNSAFE, NotFound, PhaseConflict, QuotaExceeded, NoProvisioner),
        scope=Scope.CLUSTERS_WRITE,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/pause",
        clusters.pause,
        {202: Cluster},
        (*UNSAFE, NotFound, PhaseConflict),
        scope=Scope.CLUSTERS_WRITE,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/resume",
        clusters.resume,
        {202: Cluster},
        (*UNSAFE, NotFound, PhaseConflict),
        scope=Scope.CLUSTERS_WRITE,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/idle",
        clusters.idle,
        {200: Idle},
        (*CALLER, NotFound, NotReady),
        scope=Scope.CLUSTERS_READ,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/usage",
        clusters.usage,
        {200: Usage},
        (*CALLER, NotFound, NotReady, ServedElsewhere, ClusterAway),
        scope=Scope.CLUSTERS_READ,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/events",
        events.events,
        {200: EventPage},
        (*CALLER, NotFound, UnknownPosition, ValidationFailed, TooManySockets),
        query=events.EventsQuery,
        headers=("Last-Event-ID",),
        streams=True,
        scope=Scope.CLUSTERS_READ,
        compressible=True,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/log",
        events.log,
        {200: "text/plain"},
        (*CALLER, NotFound, UnknownPosition, ValidationFailed, TooManySockets),
        query=events.LogQuery,
        scope=Scope.CLUSTERS_READ,
        compressible=True,
    ),
    *ACCESS,
    *INSIDE,
    Endpoint(
        "GET",
        f"{CLUSTER}/evidence",
        clusters.evidence,
        {200: clusters.EVIDENCE_TYPES},
        (*CALLER, NotFound, NoEvidence),
        sends=("Content-Disposition",),
        scope=Scope.CLUSTERS_READ,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/terminals",
        terminals.list_all,
        {200: TerminalList},
        (*CALLER, NotFound, NotReady, ServedElsewhere),
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "DELETE",
        f"{CLUSTER}/terminals/{{terminal_id}}",
        terminals.close,
        {204: None},
        (*UNSAFE, NotFound, NoSuchTerminal),
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "GET",
        f"{API}/admin/pool",
        admin.pool,
        {200: PoolList},
        CALLER,
        scope=Scope.ADMIN,
        compressible=True,
    ),
    Endpoint(
        "PUT",
        f"{API}/admin/pool",
        admin.set_pool,
        {200: PoolList},
        (*UNSAFE, *BODY, TemplateUnknown),
        body=SetPool,
        scope=Scope.ADMIN,
    ),
    Endpoint(
        "GET",
        f"{API}/admin/drift",
        admin.drift,
        {200: DriftReport},
        CALLER,
        scope=Scope.ADMIN,
        compressible=True,
    ),
    Endpoint(
        "POST",
        f"{API}/admin/drift/repair",
        admin.repair,
        {202: Repair},
        (*UNSAFE, *BODY),
        body=RepairDrift,
        scope=Scope.ADMIN,
    ),
    Endpoint("GET", "/healthz", service.healthz, {200: "text/plain"}, public=True),
    Endpoint(
        "GET", "/metrics", metrics.metrics, {200: "text/plain"}, public=True, compressible=True
    ),
    Endpoint(
        "GET",
        "/readyz",
        readiness.readyz,
        {200: Health, 503: Health},
        (ValidationFailed,),
        query=readiness.ReadyQuery,
        public=True,
    ),
)

STREAM: Final = f"{API}/stream"
TERMINAL: Final = f"{CLUSTER}/terminal"
STREAM_ERRORS: Final[Errors] = (*CALLER, CrossOrigin, ValidationFailed, TooManySockets)
EVERYWHERE: Final[Errors] = (
    Unavailable,
    DatabaseRestarting,
    DatabaseBusy,
    DatabaseFull,
    ValidationFailed,
)


def routes() -> list[BaseRoute]:
    """Give Starlette's routes of the API and its documents."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    return [
        *(
            Route(path, _by_method(found), methods=[endpoint.method for endpoint in found])
            for path, found in by_path.items()
        ),
        WebSocketRoute(STREAM, stream.stream),
        WebSocketRoute(TERMINAL, terminal_socket.terminal),
        *(Route(path, _refuse_page) for path in (STREAM, TERMINAL)),
        *documents.routes(),
        *well_known.routes(),
    ]


async def _refuse_page(request: Request[Any]) -> Response:
    response = response_of(
        UpgradeRequired(
            f"{request.url.path} is a WebSocket",
            fix="connect with a client of WebSockets; /docs/stream tells how",
        )
    )
    response.headers["Upgrade"] = "websocket"
    return response


def _by_method(endpoints: list[Endpoint]) -> Handler:
    """Give one handler for a path, so that its refusal of other methods names them all."""
    by_method = {endpoint.method: endpoint for endpoint in endpoints}
    by_method.setdefault("HEAD", by_method.get("GET", endpoints[0]))

    async def dispatch(request: Request[Any]) -> Response:
        endpoint = by_method[request.method]
        if endpoint.body is None:
            await require_no_body(request)
        response = await endpoint.handler(request)
        if endpoint.revalidated:
            response = revalidated(response, request.headers)
        if not endpoint.compressible:
            return untransformed(response)
        return await compressed(response, request.headers, request.state["compressor"])

    return dispatch
