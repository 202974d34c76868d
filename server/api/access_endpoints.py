"""The endpoints of the ways into a cluster, and of what is seen inside."""

from typing import Final

from pyk8s.wire import access as ways
from pyk8s.wire import apps as words
from pyk8s.wire.accounts import Scope
from pyk8s.wire.images import ARCHIVE_TYPES, ImageList, LoadedImages
from pyk8s.wire.resources import Resources
from server.api import access, apps, images
from server.api import resources as inside
from server.api.endpoint import BODY, CALLER, CLUSTER, UNSAFE, Endpoint, Errors
from server.api.streams import TooManySockets
from server.api.wire import PageQuery
from server.errors import (
    ClusterAway,
    ImageRefused,
    LogUnavailable,
    NoApps,
    NoProxy,
    NotFound,
    NotReady,
    QuotaExceeded,
    ServedElsewhere,
    Simulated,
    TooLarge,
    TooManyUploads,
    UnsupportedMediaType,
    ValidationFailed,
)

SEEN: Final[Errors] = (*CALLER, NotReady, Simulated, ClusterAway)

ACCESS: Final = (
    Endpoint(
        "GET",
        f"{CLUSTER}/kubeconfig",
        access.kubeconfig,
        {200: access.KUBECONFIG_TYPES},
        (
            *UNSAFE,
            NotFound,
            NotReady,
            NoProxy,
            QuotaExceeded,
            ValidationFailed,
            Simulated,
            ClusterAway,
        ),
        query=access.KubeconfigQuery,
        sends=("Content-Disposition",),
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/credentials",
        access.create_credential,
        {201: ways.CreatedCredential},
        (*UNSAFE, *BODY, NotFound, NotReady, NoProxy, QuotaExceeded),
        body=ways.CreateCredential,
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/credentials",
        access.list_credentials,
        {200: ways.CredentialList},
        (*CALLER, NotFound),
        query=PageQuery,
        sends=("Link",),
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "DELETE",
        f"{CLUSTER}/credentials/{{credential_id}}",
        access.revoke_credential,
        {204: None},
        (*UNSAFE, NotFound),
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/apps",
        apps.list_apps,
        {200: words.AppList},
        (*CALLER, NotFound),
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/apps",
        apps.publish,
        {201: words.App},
        (*UNSAFE, *BODY, NotFound, NotReady, Simulated, NoApps, QuotaExceeded),
        body=words.PublishApp,
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "DELETE",
        f"{CLUSTER}/apps/{{app_id}}",
        apps.unpublish,
        {204: None},
        (*UNSAFE, NotFound),
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/apps/{{app_id}}/links",
        apps.create_link,
        {201: words.AppLink},
        (*UNSAFE, *BODY, NotFound, NoApps),
        body=words.CreateLink,
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "DELETE",
        f"{CLUSTER}/apps/{{app_id}}/links",
        apps.end_links,
        {204: None},
        (*UNSAFE, NotFound),
        scope=Scope.ACCESS,
    ),
)

INSIDE: Final = (
    Endpoint(
        "GET",
        f"{CLUSTER}/images",
        images.list_all,
        {200: ImageList},
        (*CALLER, NotFound, NotReady, ServedElsewhere, ClusterAway),
        scope=Scope.ACCESS,
        compressible=True,
    ),
    Endpoint(
        "POST",
        f"{CLUSTER}/images",
        images.load,
        {201: LoadedImages},
        (
            *UNSAFE,
            UnsupportedMediaType,
            TooLarge,
            NotFound,
            NotReady,
            ServedElsewhere,
            ImageRefused,
            TooManyUploads,
        ),
        body=ARCHIVE_TYPES,
        scope=Scope.ACCESS,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/resources",
        inside.resources,
        {200: Resources},
        (*SEEN, NotFound, TooManySockets),
        streams=True,
        scope=Scope.ACCESS,
        compressible=True,
    ),
    Endpoint(
        "GET",
        f"{CLUSTER}/pods/{{namespace}}/{{pod}}/log",
        inside.pod_log,
        {200: "text/plain"},
        (*SEEN, NotFound, ValidationFailed, LogUnavailable, TooManySockets),
        query=inside.PodLogQuery,
        scope=Scope.ACCESS,
    ),
)
