"""Ways into a cluster: kubeconfigs and the credentials in them."""

import base64
import re
from functools import partial
from http import HTTPMethod
from typing import Annotated, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from pyk8s.wire.access import (
    MIN_CREDENTIAL_SECONDS,
    CreateCredential,
    CreatedCredential,
    CredentialList,
    Endpoint,
    ServiceAccount,
    context_name,
)
from pyk8s.wire.accounts import Scope
from pyk8s.wire.base import Ask
from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.service import FieldError
from server.api import kubeconfig as files
from server.api.auth import authenticate, require_own_page
from server.api.clusters import owned
from server.api.disconnect import while_connected
from server.api.state import State
from server.api.wire import (
    PageQuery,
    accepted,
    answer,
    next_page,
    path_id,
    printable,
    read_body,
    read_query,
)
from server.commands import credentials as commands
from server.commands.credentials import Issued
from server.errors import NoProxy, NotReady, ValidationFailed
from server.kube import service_accounts
from server.store import credentials
from server.store.accounts import Principal

HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:.]{2,45}")
SURE_NAME: Final = "localhost"
"""Every certificate that the server makes is for this name too."""

NO_CONTENT: Final = 204
KUBECONFIG_TYPES: Final = ("application/yaml", "text/plain")


class KubeconfigQuery(Ask):
    """Which way in, and for how long."""

    endpoint: Endpoint | None = None
    """Unset: by the proxy if the server has one."""
    expires_in_seconds: Annotated[int, Field(ge=MIN_CREDENTIAL_SECONDS)] | None = None
    service_account: ServiceAccount | None = None
    """`NAMESPACE/NAME`: who asks inside, instead of the caller. By the proxy only."""


async def kubeconfig(request: Request[State]) -> Response:
    """Give a kubeconfig with a credential of its own, which can be revoked."""
    principal = await authenticate(request, Scope.ACCESS)
    require_own_page(request, principal)
    query = read_query(request, KubeconfigQuery)
    cluster = await owned(request, principal)
    endpoint = query.endpoint or (
        Endpoint.PROXY if request.state["proxy"] is not None else Endpoint.DIRECT
    )
    if query.service_account is not None and endpoint is not Endpoint.PROXY:
        raise ValidationFailed(
            "service_account: only a kubeconfig for the proxy is made for one",
            fix="ask for endpoint=proxy, or make a token: kubectl create token NAME",
            errors=[FieldError(field="service_account", message="needs endpoint=proxy")],
        )
    context = context_name(cluster.name, endpoint, query.service_account)
    if request.method == HTTPMethod.HEAD:  # a look at the headers makes no credential
        await commands.way_into(request.state["database"], cluster)
        text = ""
    elif endpoint is Endpoint.DIRECT:
        text = await _direct(request, principal, cluster, context, query.expires_in_seconds)
    else:
        text = await _through_proxy(request, principal, cluster, context, query)
    filename = f"{context}.yaml"
    return Response(
        text,
        media_type=accepted(request, KUBECONFIG_TYPES),
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{filename}"',
        },
    )


async def _through_proxy(
    request: Request[State],
    principal: Principal,
    cluster: Cluster,
    context: str,
    query: KubeconfigQuery,
) -> str:
    address = _proxy_address(request, cluster)
    seconds, account = query.expires_in_seconds, query.service_account
    if account is None:
        issued = await _issue(request, principal, cluster, _made_for(request), seconds)
        return files.for_proxy(context, address, issued.proof)
    way = await commands.way_into(request.state["database"], cluster)
    if cluster.phase is not Phase.READY:
        raise NotReady(f"the cluster is {cluster.phase}, so it signs nothing", fix="resume it")
    upstream = await request.state["upstreams"].for_people(cluster.id, way.attempt_id)
    token = await service_accounts.request_token(
        upstream,
        username=principal.user.username,
        account=account,
        seconds=seconds or commands.DEFAULT_SECONDS,
    )
    issued = await _issue(request, principal, cluster, f"service account {account}", seconds)
    return files.for_proxy(context, address, f"{issued.proof}.{token}")


async def _issue(
    request: Request[State], principal: Principal, cluster: Cluster, name: str, seconds: int | None
) -> Issued:
    return await commands.issue_for_proxy(
        request.state["database"],
        principal=principal,
        cluster=cluster,
        name=name,
        seconds=seconds,
        max_seconds=request.state["settings"].max_ttl_seconds,
    )


async def _direct(
    request: Request[State],
    principal: Principal,
    cluster: Cluster,
    context: str,
    seconds: int | None,
) -> str:
    sealer = request.state["sealer"]
    way = await commands.way_into(request.state["database"], cluster)
    admin = sealer.open(way.sealed_kubeconfig).decode()
    if way.sealed_proxy_identity is None:  # simulated: the file says so, and opens nothing
        return files.named_for(admin, context)
    issue = partial(
        commands.issue_direct,
        request.state["database"],
        sealer,
        principal=principal,
        cluster=cluster,
        name=_made_for(request),
        seconds=seconds,
    )
    issued = await while_connected(request, issue)
    return files.for_certificate(admin, context, issued.proof)


def _made_for(request: Request[State]) -> str:
    """Name the program that asked, to recognise the credential by."""
    return printable(request.headers.get("user-agent", "")) or "unknown program"


def _proxy_address(request: Request[State], cluster: Cluster) -> dict[str, str]:
    """Say where the proxy is for whoever asked: at the host under which they reach us.

    Raises:
        NoProxy: this server has none.
    """
    settings, identity = request.state["settings"], request.state["proxy"]
    port = settings.listens_for_proxy_on
    if identity is None or port is None:
        raise NoProxy(
            "this server has no Kubernetes API proxy",
            fix="ask for endpoint=direct, or let the operator set PYK8S_PROXY_PORT",
        )
    host = request.url.hostname or SURE_NAME
    host = host if HOST.fullmatch(host) else SURE_NAME
    shown = f"[{host}]" if ":" in host else host
    base = settings.proxy_url or f"https://{shown}:{port}"
    address = {"server": f"{base}/clusters/{cluster.id}"}
    if identity.authority is not None:
        data = base64.b64encode(identity.authority.encode()).decode()
        address["certificate-authority-data"] = data
    if settings.proxy_url is None and host not in identity.names:
        address["tls-server-name"] = SURE_NAME
    return address


async def create_credential(request: Request[State]) -> Response:
    """Give a credential for the proxy to a program that keeps it elsewhere than in a file."""
    principal = await authenticate(request, Scope.ACCESS)
    asked = await read_body(request, CreateCredential)
    cluster = await owned(request, principal)
    address = _proxy_address(request, cluster)
    issued = await _issue(request, principal, cluster, asked.name, asked.expires_in_seconds)
    authority = request.state["proxy"].authority if request.state["proxy"] else None
    created = CreatedCredential(
        **issued.credential.model_dump(),
        token=issued.proof,
        server=address["server"],
        certificate_authority=authority,
        tls_server_name=address.get("tls-server-name"),
    )
    return answer(created, 201)


async def list_credentials(request: Request[State]) -> Response:
    """List the caller's credentials for a cluster, newest first."""
    principal = await authenticate(request, Scope.ACCESS)
    query = read_query(request, PageQuery)
    cluster = await owned(request, principal)
    async with request.state["database"].reading() as session:
        page = await credentials.of_cluster(
            session, cluster.id, principal.user.id, limit=query.limit, cursor=query.cursor
        )
    listed = CredentialList(items=page.items, next_cursor=page.next_cursor)
    return answer(listed, 200, next_page(request, page.next_cursor))


async def revoke_credential(request: Request[State]) -> Response:
    """End a credential; what is open under it ends within a second."""
    principal = await authenticate(request, Scope.ACCESS)
    cluster = await owned(request, principal)
    await commands.revoke(
        request.state["database"],
        request.state["sealer"],
        user_id=principal.user.id,
        cluster_id=cluster.id,
        credential_id=path_id(request, "credential_id", "credential"),
    )
    return Response(status_code=NO_CONTENT)
