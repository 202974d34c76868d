"""Tokens of a cluster's service accounts, asked for in a person's name."""

import re
from http import HTTPStatus
from typing import Final

from pyk8s.wire.service import FieldError
from server.drivers import kube_http
from server.drivers.kube_http import NoAnswer
from server.drivers.kube_identity import PEOPLE
from server.drivers.kube_objects import part
from server.errors import ClusterAway, ValidationFailed
from server.kube.upstream import Upstream

ASK_SECONDS: Final = 10.0
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")
"""A bearer token (RFC 6750); 16 KiB is what the proxy takes."""


async def request_token(upstream: Upstream, *, username: str, account: str, seconds: int) -> str:
    """Ask for a token of `account`, `NAMESPACE/NAME`. The cluster may let it end sooner.

    `upstream`: as the user who may speak for people.

    Raises:
        ValidationFailed: the cluster gives none to this person; says why.
        ClusterAway: it does not answer.
    """
    namespace, _, name = account.partition("/")
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    try:
        answer = await kube_http.ask(
            upstream.session,
            "POST",
            upstream.url + path,
            seconds=ASK_SECONDS,
            headers={"Impersonate-User": username, "Impersonate-Group": PEOPLE},
            document={
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": seconds},
            },
        )
        document = answer.document()
    except NoAnswer as error:
        raise _away(str(error)) from error
    if answer.status in {HTTPStatus.OK, HTTPStatus.CREATED}:
        token = part(document, "status").get("token")
        if isinstance(token, str) and _TOKEN.fullmatch(token):
            return token
        raise _away("what it gave is no token")
    said = kube_http.printable(str(document.get("message", "")))
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ValidationFailed(
            f"service_account: {said}",
            fix=f"see what there is: kubectl get serviceaccounts -n {namespace}",
            errors=[FieldError(field="service_account", message=said, input=account)],
        )
    raise _away(f"it answered {answer.status} {said}")


def _away(said: str) -> ClusterAway:
    return ClusterAway(
        f"the cluster gave no token: {said}", fix="try again in a moment", retry_after=2
    )
