"""Ways into a cluster on the wire: kubeconfigs and the credentials in them."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from pyk8s.wire.base import Answer, Ask, Timestamp

MIN_CREDENTIAL_SECONDS = 600
"""Kubernetes signs no certificate for less, so that no credential lives shorter."""


class Endpoint(StrEnum):
    """Where a credential is used."""

    PROXY = "proxy"
    """At the server, from anywhere; it ends at once when it is revoked."""
    DIRECT = "direct"
    """At the cluster's own API server, on its host only; a certificate."""


SERVICE_ACCOUNT_PATTERN = (
    r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$"
)
"""`NAMESPACE/NAME`: a DNS label and a DNS subdomain, as Kubernetes has them."""

ServiceAccount = Annotated[str, StringConstraints(pattern=SERVICE_ACCOUNT_PATTERN)]


def context_name(
    cluster: str, endpoint: Endpoint = Endpoint.PROXY, service_account: str | None = None
) -> str:
    """Name the context of a kubeconfig. No cluster's name has a dot.

    Each way into a cluster has a name of its own: of two that are merged none hides the other.
    """
    if service_account is not None:
        return f"pyk8s-{cluster}.sa.{service_account.replace('/', '.')}"
    return f"pyk8s-{cluster}" + (".direct" if endpoint is Endpoint.DIRECT else "")


class CreateCredential(Ask):
    """A new credential for the proxy, for a program that keeps it elsewhere than in a file."""

    name: Annotated[str, Field(min_length=1, max_length=80)] = "program"
    expires_in_seconds: Annotated[int, Field(ge=MIN_CREDENTIAL_SECONDS)] | None = None


class Credential(Answer):
    """One person's way into one cluster."""

    id: UUID
    endpoint: Endpoint
    name: str
    """What it was made for: a program or a browser."""
    created_at: Timestamp
    expires_at: Timestamp
    last_used_at: Timestamp | None
    """To the minute. Of a certificate nobody knows."""


class CredentialList(Answer):
    """The credentials of the caller that open a cluster now."""

    items: list[Credential]
    next_cursor: str | None = None


class CreatedCredential(Credential):
    """A credential with its secret, which is shown this once."""

    token: str
    server: str
    """The URL that a kubeconfig names."""
    certificate_authority: str | None
    """PEM: who vouches for that server. None: an authority that every machine trusts."""
    tls_server_name: str | None
    """The name in the server's certificate, where it is not the host of `server`."""
