"""Publish ports of clusters, and give links to them."""

import secrets
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

import uuid_utils.compat as uuids

from pyk8s.wire.apps import App, PublishApp
from pyk8s.wire.cluster import Cluster
from pyk8s.wire.facts import Note
from pyk8s.wire.service import FieldError
from server.commands.credentials import way_into
from server.errors import NotFound, QuotaExceeded, Simulated, ValidationFailed
from server.store import apps, event_log
from server.store.accounts import Principal
from server.store.database import Database

MAX_APPS = 20
"""Of one cluster."""

LABEL_LENGTH = 40


def url_of(at: str, host_label: str) -> str:
    """Give the URL of an app. `at`: the URL whose sub-domains are apps."""
    parts = urlsplit(at)
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{parts.scheme}://{host_label}.{parts.hostname}{port}"


async def publish(
    database: Database, *, principal: Principal, cluster: Cluster, request: PublishApp, at: str
) -> App:
    """Give a port a URL. Nobody can open it without a link.

    Raises:
        NotReady: the cluster cannot be reached yet, or any more.
        Simulated: there is nothing in it to publish.
        QuotaExceeded: it has as many apps as one may have.
    """
    way = await way_into(database, cluster)
    if way.sealed_proxy_identity is None:
        raise Simulated(
            "there is nothing in a simulated cluster that could be published",
            fix="use a server with Docker and kind for a real one",
        )
    name = (request.name or request.target).replace(".", "-")[:LABEL_LENGTH].strip("-")
    if not name[0].isalpha() and request.name is None:
        name = f"app-{name}"
    label = f"{name}-{secrets.token_hex(4)}"
    async with database.transaction() as session:
        mine = await apps.of_cluster(session, cluster.id, principal.user.id, str)
        if len(mine) >= MAX_APPS:
            raise QuotaExceeded(
                f"the cluster has {MAX_APPS} published apps",
                fix="take one away first",
                retry_after=60,
            )
        app = await apps.add(
            session,
            app_id=uuids.uuid7(),
            cluster_id=cluster.id,
            user_id=principal.user.id,
            host_label=label,
            asked=request,
            url=url_of(at, label),
        )
        said = f"{request.kind} {request.namespace}/{request.target}, port {request.port}"
        note = Note(text=f"{principal.user.username} published {said}")
        await event_log.append_use(session, cluster.id, note)
    return app


async def unpublish(database: Database, *, user_id: UUID, cluster_id: UUID, app_id: UUID) -> None:
    """Take an app's URL away; who has it open is cut off within a second.

    Raises:
        NotFound: the user has no such app.
    """
    async with database.transaction() as session:
        if not await apps.remove(session, cluster_id=cluster_id, user_id=user_id, app_id=app_id):
            raise no_such_app()


async def end_links(database: Database, *, user_id: UUID, cluster_id: UUID, app_id: UUID) -> None:
    """Make all links of an app open nothing any more; who came by one is cut off.

    Raises:
        NotFound: the user has no such app.
    """
    async with database.transaction() as session:
        found = await apps.generation_of(
            session, cluster_id=cluster_id, user_id=user_id, app_id=app_id
        )
        if found is None:
            raise no_such_app()
        await apps.end_links_of(session, user_id, app_id=app_id)


def link_lifetime(seconds: int, cluster_left: timedelta | None) -> timedelta:
    """Give how long a link is good for: until the cluster's lease ends at most.

    Raises:
        ValidationFailed: the lease is over.
    """
    wanted = timedelta(seconds=seconds)
    if cluster_left is None:
        return wanted
    if cluster_left <= timedelta(0):
        raise ValidationFailed(
            "the cluster's lifetime is over",
            fix="extend it first",
            errors=[FieldError(field="expires_in_seconds", message="the cluster ends now")],
        )
    return min(wanted, cluster_left)


def no_such_app() -> NotFound:
    """Say that it is not there, or not yours."""
    return NotFound("you have no such app", fix="see the list of the cluster's apps")
