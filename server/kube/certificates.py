"""Client certificates for people: signed by the cluster, one group and one binding for each.

A certificate cannot be revoked in Kubernetes. So each speaks for a group of its own, which may do
everything as long as there is a binding that says so; the binding can be deleted. The user in it is
its own too, `ann:` and the end of the credential's id: rights that somebody gives to `ann` are not
the certificate's, and do not outlive the binding. Whoever was the administrator may have made
another way in on purpose; that one ends with the cluster.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID, uuid4

from server.drivers import kube_api, kube_identity
from server.drivers.base import DriverError
from server.drivers.kube_api import ApiServer, Credentials
from server.drivers.kube_identity import PEOPLE
from server.errors import Unavailable
from server.secrets import Sealer
from server.store.access import WayIn

ISSUE_SECONDS: Final = 25.0
"""For all questions together; the controller that signs begins some 3 s after a cluster is up."""

SERVER_SECONDS: Final = 3600
"""For a certificate that the server keeps for itself. Nothing revokes it, so it ends soon."""


def _name(credential_id: UUID) -> str:
    return f"pyk8s:credential:{credential_id}"


def _user(username: str, credential_id: UUID) -> str:
    """Name the user of a certificate: the person, and the end of the credential's id.

    No username has a colon. A common name has 64 characters at most (RFC 5280, A.1), so not the
    whole id.
    """
    return f"{username}:{credential_id.hex[-12:]}"


def administrator(way: WayIn, sealer: Sealer) -> Credentials:
    """Open the administrator's way in.

    Raises:
        Unavailable: it is not usable.
    """
    try:
        return kube_api.read_kubeconfig(sealer.open(way.sealed_kubeconfig).decode())
    except DriverError as error:
        raise _unavailable(error) from error


async def issue(
    way: WayIn, sealer: Sealer, *, credential_id: UUID, username: str, seconds: int
) -> bytes:
    """Let the cluster sign a certificate for a person; give it with its key, as PEM.

    Raises:
        Unavailable: the cluster does not answer, or refused.
    """
    name = _name(credential_id)
    async with _signing(way, sealer) as client:
        await kube_identity.bind(client, name=name, group=name)
        return await kube_identity.sign(
            client,
            name=name,
            user=_user(username, credential_id),
            groups=(name,),
            seconds=seconds,
        )


async def issue_for_server(way: WayIn, sealer: Sealer, *, username: str) -> bytes:
    """Let the cluster sign a certificate with which the server acts as a person; PEM with its key.

    It never leaves the server's memory. With it a request reaches the API server as the person's
    own, so that the API server itself decides whom the person may impersonate.

    Raises:
        Unavailable: the cluster does not answer, or refused.
    """
    async with _signing(way, sealer) as client:
        return await kube_identity.sign(
            client,
            name=f"pyk8s:person:{uuid4()}",
            user=username,
            groups=(PEOPLE,),
            seconds=SERVER_SECONDS,
        )


@asynccontextmanager
async def _signing(way: WayIn, sealer: Sealer) -> AsyncIterator[ApiServer]:
    """Connect as the administrator for as long as a certificate may take.

    Raises:
        Unavailable: the cluster does not answer, or refused.
    """
    try:
        async with (
            asyncio.timeout(ISSUE_SECONDS),
            kube_api.connect(administrator(way, sealer), way.internal_url) as client,
        ):
            yield client
    except DriverError as error:
        raise _unavailable(error) from error
    except TimeoutError as error:
        raise Unavailable(
            f"the cluster has not signed a certificate within {ISSUE_SECONDS:g} s",
            fix="try again in a moment",
            retry_after=2,
        ) from error


async def revoke(way: WayIn, sealer: Sealer, credential_id: UUID) -> None:
    """Make a certificate good for nothing: who comes with it may do nothing from now on.

    Raises:
        Unavailable: the cluster does not answer, or refused.
    """
    try:
        async with kube_api.connect(administrator(way, sealer), way.internal_url) as client:
            await kube_identity.unbind(client, name=_name(credential_id))
    except DriverError as error:
        raise _unavailable(error) from error


def _unavailable(error: DriverError) -> Unavailable:
    return Unavailable(error.explanation.cause, fix="try again in a moment", retry_after=2)
