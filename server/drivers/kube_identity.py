"""Who may do what in a cluster, and client certificates that the cluster itself signs.

People come in under their own names and in one group, which may do everything in the cluster.
The server's proxy comes in as a user that may do one thing only: to speak for people of that
group. A request that lost their name on its way could do nothing at all.
"""

import asyncio
import base64
import contextlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.drivers.base import DriverError, Explanation
from server.drivers.kube_api import ApiServer
from server.drivers.kube_http import NoAnswer
from server.drivers.kube_objects import part, text
from server.drivers.kube_signing import sign_with

PEOPLE: Final = "pyk8s:users"
"""The group of all who come in by a kubeconfig, the terminal or a published app."""

PROXY: Final = "pyk8s:proxy"
"""The user that the server's proxy is."""

_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_REQUESTS: Final = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_SIGNER: Final = "kubernetes.io/kube-apiserver-client"
SIGN_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.05
MOST_CERTIFICATE_CHARS: Final = 64 * 1024
MIN_CERTIFICATE_SECONDS: Final = 600
"""Kubernetes refuses to sign for less."""

_API_GROUP: Final = "rbac.authorization.k8s.io"
_RULES: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    (
        "clusterroles",
        {
            "metadata": {"name": PROXY},
            "rules": [
                {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]},
                {
                    "apiGroups": [""],
                    "resources": ["groups"],
                    "resourceNames": [PEOPLE],
                    "verbs": ["impersonate"],
                },
            ],
        },
    ),
    (
        "clusterrolebindings",
        {
            "metadata": {"name": PROXY},
            "roleRef": {"apiGroup": _API_GROUP, "kind": "ClusterRole", "name": PROXY},
            "subjects": [{"apiGroup": _API_GROUP, "kind": "User", "name": PROXY}],
        },
    ),
    (
        "clusterrolebindings",
        {
            "metadata": {"name": PEOPLE},
            "roleRef": {"apiGroup": _API_GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": _API_GROUP, "kind": "Group", "name": PEOPLE}],
        },
    ),
)


async def admit(client: ApiServer, authority: tuple[bytes, bytes] | None) -> bytes:
    """Let people and the proxy in; give the proxy's certificate with its key, as PEM.

    `authority`: certificate and key of the cluster's own. None: the cluster is asked to sign, whose
    controller for that works only some 3 s after the API server does.

    Raises:
        DriverError: the cluster refused, or did not sign in time.
    """
    for kind, rule in _RULES:
        await _create(client, f"{_RBAC}/{kind}", rule)
    if authority is not None:
        with contextlib.suppress(ValueError):
            return sign_with(*authority, user=PROXY)
    return await sign(client, name=PROXY, user=PROXY, groups=())


async def bind(client: ApiServer, *, name: str, group: str) -> None:
    """Let a group do everything in the cluster, until the binding `name` is deleted.

    Raises:
        DriverError: the cluster refused.
    """
    await _create(
        client,
        f"{_RBAC}/clusterrolebindings",
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": _API_GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": _API_GROUP, "kind": "Group", "name": group}],
        },
    )


async def unbind(client: ApiServer, *, name: str) -> None:
    """Take that right away. A missing binding is fine.

    Raises:
        DriverError: the cluster refused.
    """
    try:
        answer = await client.ask("DELETE", f"{_RBAC}/clusterrolebindings/{name}")
    except NoAnswer as error:
        raise _refused(str(error)) from error
    if answer.status not in {HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND}:
        raise _refused(f"status {answer.status}")


async def sign(
    client: ApiServer,
    *,
    name: str,
    user: str,
    groups: tuple[str, ...],
    seconds: int | None = None,
) -> bytes:
    """Let the cluster sign a certificate for `user`; give it with its key, as PEM.

    `name`: of the request, which must be new or left over from a try that broke off. `seconds`:
    how long it is good for, at least 600; None: as long as the cluster likes, which is a year.

    Raises:
        DriverError: the cluster refused, or did not sign in time.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
            x509.NameAttribute(NameOID.COMMON_NAME, user),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    asked = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    spec: dict[str, Any] = {
        "request": base64.b64encode(asked).decode(),
        "signerName": _SIGNER,
        "usages": ["client auth"],
    }
    if seconds is not None:
        spec["expirationSeconds"] = max(MIN_CERTIFICATE_SECONDS, seconds)
    path = f"{_REQUESTS}/{name}"
    try:
        await client.ask("DELETE", path)
        await _create(client, _REQUESTS, {"metadata": {"name": name}, "spec": spec})
        certificate = await _approved(client, path)
        await client.ask("DELETE", path)
    except NoAnswer as error:
        raise _refused(str(error)) from error
    # `EC PRIVATE KEY` (RFC 5915), which every client reads: fabric8 takes PKCS #8 for RSA.
    return certificate + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


async def _approved(client: ApiServer, path: str) -> bytes:
    found = (await client.ask("GET", path)).document()
    condition = {
        "type": "Approved",
        "status": "True",
        "reason": "AskedByTheLab",
        "message": "the lab that made this cluster asked for it",
    }
    approved = {**found, "status": {**part(found, "status"), "conditions": [condition]}}
    answer = await client.ask("PUT", f"{path}/approval", approved)
    if answer.status != HTTPStatus.OK:
        raise _refused(f"status {answer.status} for the approval")
    try:
        async with asyncio.timeout(SIGN_SECONDS):
            while True:
                now = (await client.ask("GET", path)).document()
                if signed := text(part(now, "status"), "certificate", MOST_CERTIFICATE_CHARS):
                    return base64.b64decode(signed)
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError as error:
        raise _refused(f"no certificate was signed in {SIGN_SECONDS:g} s") from error
    except ValueError as error:
        raise _refused("what it signed is no certificate") from error


async def _create(client: ApiServer, path: str, body: Mapping[str, Any]) -> None:
    """Make an object. One that is there already is left as it is."""
    try:
        answer = await client.ask("POST", path, body)
    except NoAnswer as error:
        raise _refused(str(error)) from error
    if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.CONFLICT}:
        raise _refused(f"status {answer.status} for {path}")


def _refused(said: str) -> DriverError:
    return DriverError(
        Explanation(
            code="not_admitted",
            title="The cluster lets nobody in",
            cause=f"its API server did not grant access under a name: {said}",
            fix="create again; if it stays so, see the log of the server",
        )
    )
