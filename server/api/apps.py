"""Published apps: list, publish, take away, and give links."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.accounts import Scope
from pyk8s.wire.apps import AppLink, AppList, CreateLink, PublishApp
from server.api.auth import authenticate
from server.api.clusters import owned
from server.api.state import State
from server.api.wire import answer, path_id, read_body
from server.apps import links
from server.apps.links import Link
from server.commands import apps as commands
from server.errors import NoApps
from server.store import apps
from server.store.database import now

NO_CONTENT: Final = 204


def _at(request: Request[State]) -> str:
    settings = request.state["settings"]
    if settings.listens_for_apps_on is None:
        raise NoApps(
            "this server publishes no apps",
            fix="use kubectl port-forward, or let the operator set PYK8S_APPS_PORT",
        )
    return settings.apps_at


async def list_apps(request: Request[State]) -> Response:
    """List the caller's published apps of a cluster, newest first."""
    principal = await authenticate(request, Scope.ACCESS)
    cluster = await owned(request, principal)
    at = request.state["settings"].apps_at
    async with request.state["database"].reading() as session:
        found = await apps.of_cluster(
            session, cluster.id, principal.user.id, lambda label: commands.url_of(at, label)
        )
    return answer(AppList(items=found))


async def publish(request: Request[State]) -> Response:
    """Give a port of a service or a pod a URL; it opens only with a link."""
    principal = await authenticate(request, Scope.ACCESS)
    wanted = await read_body(request, PublishApp)
    cluster = await owned(request, principal)
    app = await commands.publish(
        request.state["database"],
        principal=principal,
        cluster=cluster,
        request=wanted,
        at=_at(request),
    )
    return answer(app, 201)


async def unpublish(request: Request[State]) -> Response:
    """Take an app's URL away; who has it open is cut off."""
    principal = await authenticate(request, Scope.ACCESS)
    cluster = await owned(request, principal)
    await commands.unpublish(
        request.state["database"],
        user_id=principal.user.id,
        cluster_id=cluster.id,
        app_id=path_id(request, "app_id", "app"),
    )
    return Response(status_code=NO_CONTENT)


async def create_link(request: Request[State]) -> Response:
    """Give a link that opens an app for whoever has it, until its time is over."""
    principal = await authenticate(request, Scope.ACCESS)
    wanted = await read_body(request, CreateLink)
    cluster = await owned(request, principal)
    at = _at(request)
    app_id = path_id(request, "app_id", "app")
    async with request.state["database"].reading() as session:
        found = await apps.generation_of(
            session, cluster_id=cluster.id, user_id=principal.user.id, app_id=app_id
        )
        moment = await now(session)
    if found is None:
        raise commands.no_such_app()
    left = None if cluster.expires_at is None else cluster.expires_at - moment
    expires_at = moment + commands.link_lifetime(wanted.expires_in_seconds, left)
    expires_at = expires_at.replace(microsecond=0)
    key = request.state["sealer"].derive(links.PURPOSE)
    secret = links.sign(key, Link(app_id, found[1], expires_at))
    url = f"{commands.url_of(at, found[0])}/?{links.PARAMETER.decode()}={secret}"
    return answer(AppLink(url=url, expires_at=expires_at), 201)


async def end_links(request: Request[State]) -> Response:
    """Make all links of an app open nothing any more."""
    principal = await authenticate(request, Scope.ACCESS)
    cluster = await owned(request, principal)
    await commands.end_links(
        request.state["database"],
        user_id=principal.user.id,
        cluster_id=cluster.id,
        app_id=path_id(request, "app_id", "app"),
    )
    return Response(status_code=NO_CONTENT)
