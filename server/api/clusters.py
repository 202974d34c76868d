"""Create, list, get, delete, what lies between, and the way into a cluster."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from pyk8s.wire.accounts import Scope
from pyk8s.wire.cluster import (
    LABEL_FILTER_PATTERN,
    USABLE,
    Cluster,
    ClusterList,
    CreateCluster,
    ExtendLease,
    Phase,
)
from server.api.auth import authenticate
from server.api.state import State
from server.api.wire import (
    PageQuery,
    accepted,
    answer,
    id_or_name,
    next_page,
    read_body,
    read_query,
    several,
    text_in_header,
)
from server.commands import clusters as commands
from server.commands import lease, lifetime, resting
from server.commands.clusters import Limits, not_found
from server.config import Settings
from server.errors import NoEvidence, NotReady
from server.store import clusters, use
from server.store import evidence as evidence_store
from server.store.accounts import Principal

MAX_KEY_LENGTH = 255
GONE = 204
EVIDENCE_TYPES = ("application/gzip", "application/octet-stream")


LabelFilter = Annotated[str, StringConstraints(pattern=LABEL_FILTER_PATTERN)]


class ListQuery(PageQuery):
    """Which clusters."""

    phase: Annotated[list[Phase], BeforeValidator(several)] = Field(
        default_factory=list, min_length=1
    )
    label: Annotated[list[LabelFilter], BeforeValidator(several)] = Field(
        default_factory=list, min_length=1
    )
    include_deleted: bool = False


async def create(request: Request[State]) -> Response:
    """Ask for a cluster."""
    principal = await authenticate(request, Scope.CLUSTERS_WRITE)
    key = text_in_header(request, "Idempotency-Key", max_chars=MAX_KEY_LENGTH)
    cluster = await commands.create_cluster(
        request.state["database"],
        owner_id=principal.user.id,
        request=await read_body(request, CreateCluster),
        idempotency_key=key,
        limits=_limits(request.state["settings"]),
    )
    return answer(cluster, 202, {"Location": f"/api/v1/clusters/{cluster.id}"})


async def list_all(request: Request[State]) -> Response:
    """List the caller's clusters, newest first."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    query = read_query(request, ListQuery)
    async with request.state["database"].reading() as session:
        page = await clusters.list_of(
            session,
            principal.user.id,
            phases=query.phase,
            labels=dict(each.split("=", 1) for each in query.label),
            include_deleted=query.include_deleted,
            limit=query.limit,
            cursor=query.cursor,
        )
    headers = next_page(request, page.next_cursor)
    return answer(ClusterList(items=page.items, next_cursor=page.next_cursor), 200, headers)


async def owned(request: HTTPConnection[State], principal: Principal) -> Cluster:
    """Give the path's cluster if it is the caller's.

    Raises:
        NotFound: it is not there, or somebody else's.
    """
    wanted = id_or_name(request)
    async with request.state["database"].reading() as session:
        cluster = await clusters.get(session, principal.user.id, wanted)
    if cluster is None:
        raise not_found(wanted)
    return cluster


async def get(request: Request[State]) -> Response:
    """Give a cluster's snapshot."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    return answer(await owned(request, principal))


async def delete(request: Request[State]) -> Response:
    """Ask for a cluster's end; asking again is no error."""
    principal = await authenticate(request, Scope.CLUSTERS_WRITE)
    cluster = await commands.delete_cluster(
        request.state["database"], owner_id=principal.user.id, id_or_name=id_or_name(request)
    )
    if cluster.phase is Phase.DELETED:
        return Response(status_code=GONE)
    return answer(cluster, 202)


async def extend(request: Request[State]) -> Response:
    """Let a cluster live longer."""
    principal = await authenticate(request, Scope.CLUSTERS_WRITE)
    cluster = await lease.extend_lease(
        request.state["database"],
        owner_id=principal.user.id,
        id_or_name=id_or_name(request),
        request=await read_body(request, ExtendLease),
        limits=_limits(request.state["settings"]),
    )
    return answer(cluster, 202)


async def cancel(request: Request[State]) -> Response:
    """Stop a create that is waiting or going on; the cluster is `failed` then."""
    principal = await authenticate(request, Scope.CLUSTERS_WRITE)
    cluster = await lifetime.cancel_create(
        request.state["database"],
        owner_id=principal.user.id,
        id_or_name=id_or_name(request),
        by=principal.user.username,
    )
    return answer(cluster, 202)


async def retry(request: Request[State]) -> Response:
    """Create a failed cluster anew."""
    principal = await authenticate(request, Scope.CLUSTERS_WRITE)
    cluster = await lifetime.retry_create(
        request.state["database"], owner_id=principal.user.id, id_or_name=id_or_name(request)
    )
    return answer(cluster, 202)


async def pause(request: Request[State]) -> Response:
    """Freeze a cluster; whoever uses it wakes it. Asking again is no error."""
    principal = await authenticate(request, Scope.CLUSTERS_WRITE)
    cluster = await resting.pause_cluster(
        request.state["database"], owner_id=principal.user.id, id_or_name=id_or_name(request)
    )
    return answer(cluster, 202)


async def resume(request: Request[State]) -> Response:
    """Let a paused cluster go on. Asking again is no error."""
    principal = await authenticate(request, Scope.CLUSTERS_WRITE)
    cluster = await resting.resume_cluster(
        request.state["database"], owner_id=principal.user.id, id_or_name=id_or_name(request)
    )
    return answer(cluster, 202)


async def idle(request: Request[State]) -> Response:
    """Tell since when nobody has used a cluster, and when it is paused for that."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    cluster = await owned(request, principal)
    seconds = request.state["settings"].idle_pause_seconds
    async with request.state["database"].reading() as session:
        last = await use.last(session, cluster.id)
    if last is None or cluster.phase not in USABLE:
        raise NotReady(f"the cluster is {cluster.phase}", fix="ask again when it is ready")
    return answer(resting.idle_of(cluster, last, seconds=seconds))


async def usage(request: Request[State]) -> Response:
    """Measure what a cluster takes of its host: memory, processors, disk. It takes a second."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    cluster = await owned(request, principal)
    nodes = await request.state["own_host"].nodes_of(cluster.id)
    return answer(await request.state["measuring"].of(nodes))


def _limits(settings: Settings) -> Limits:
    return Limits(settings.max_clusters_per_user, settings.max_ttl_seconds)


async def evidence(request: Request[State]) -> Response:
    """Give what was collected when the cluster failed, as a tar.gz."""
    principal = await authenticate(request, Scope.CLUSTERS_READ)
    cluster = await owned(request, principal)
    async with request.state["database"].reading() as session:
        archive = await evidence_store.archive_of(session, cluster.id)
    if archive is None:
        raise NoEvidence(
            f"nothing was collected for {cluster.name}",
            fix="evidence is kept from a failure until the cluster is deleted; the log tells more",
        )
    filename = f"pyk8s-{cluster.name}-evidence.tar.gz"
    return Response(
        archive,
        media_type=accepted(request, EVIDENCE_TYPES),
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{filename}"',
        },
    )
