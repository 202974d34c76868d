"""The images in a cluster: list them, and bring more."""

from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pyk8s.wire.accounts import Scope
from pyk8s.wire.cluster import Phase
from pyk8s.wire.images import ARCHIVE_TYPES, Image, ImageList
from server.api.auth import authenticate
from server.api.clusters import owned
from server.api.state import State
from server.api.wire import answer, require_media_type
from server.errors import NotReady
from server.transport.connection import take_time

NOBODY_HEARS: Final = HTTPStatus.BAD_REQUEST


async def list_all(request: Request[State]) -> Response:
    """List the images that the nodes of a cluster have. A paused one stays asleep, and is 409."""
    principal = await authenticate(request, Scope.ACCESS)
    cluster = await owned(request, principal)
    if cluster.phase is not Phase.READY:
        raise NotReady(f"the cluster is {cluster.phase}", fix="look again when it is ready")
    found = await request.state["images"].list(cluster.id)
    items = [
        Image(id=each.id, names=sorted(each.names), size_bytes=each.size_bytes, nodes=each.nodes)
        for each in found
    ]
    return answer(ImageList(items=sorted(items, key=lambda each: (each.names[:1], each.id))))


async def load(request: Request[State]) -> Response:
    """Bring the images of an archive into every node. The body is what `docker save` writes.

    It goes into the nodes as it comes, so that what is sent is done. A paused cluster is woken.
    """
    principal = await authenticate(request, Scope.ACCESS)
    require_media_type(
        request,
        ARCHIVE_TYPES,
        fix="send what `docker save` writes, with `Content-Type: application/x-tar`",
    )
    cluster = await owned(request, principal)
    take_time(request.scope)
    try:
        loaded = await request.state["images"].load(
            cluster.id, request.stream(), user=principal.user
        )
    except ClientDisconnect:
        return Response(status_code=NOBODY_HEARS)
    return answer(loaded, status=HTTPStatus.CREATED)
