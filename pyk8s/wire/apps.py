"""Published apps on the wire: ports inside a cluster that have a URL outside."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from pyk8s.wire.base import Answer, Ask, Timestamp

APP_NAME_PATTERN = r"^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$"
KUBERNETES_NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$"
MAX_LINK_SECONDS = 7 * 24 * 3600

AppName = Annotated[str, StringConstraints(pattern=APP_NAME_PATTERN)]
KubernetesName = Annotated[str, StringConstraints(pattern=KUBERNETES_NAME_PATTERN)]


class AppKind(StrEnum):
    """What stands behind an app."""

    SERVICE = "service"
    POD = "pod"


class PublishApp(Ask):
    """A port of a service or a pod shall have a URL."""

    kind: AppKind = AppKind.SERVICE
    namespace: KubernetesName = "default"
    target: KubernetesName
    """The service's or pod's name."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Of the service, as it says; or the one that the pod listens on."""
    name: AppName | None = None
    """Part of the URL. Unset: the target's."""


class App(Answer):
    """A published app. Its URL opens only for who has a link, or had one."""

    id: UUID
    name: str
    kind: AppKind
    namespace: str
    target: str
    port: int
    url: str
    created_at: Timestamp


class AppList(Answer):
    """The apps of a cluster."""

    items: list[App]


class CreateLink(Ask):
    """A link that opens an app for whoever has it, for a time."""

    expires_in_seconds: Annotated[int, Field(ge=60, le=MAX_LINK_SECONDS)] = 3600


class AppLink(Answer):
    """A link. It is a secret."""

    url: str
    expires_at: Timestamp
