"""Questions to a cluster about the proxy's own credentials, which the cluster does not know (pure).

A client that has a token asks with a `TokenReview` whom it is for. The secret of a credential does
not go into the cluster with it: whoever is the administrator there could read it, in an audit log
or a webhook.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import orjson

from server.drivers.kube_identity import PEOPLE
from server.drivers.kube_objects import part
from server.proxy.bearer import Bearer
from server.proxy.refusals import Headers, OwnAnswer, Refusal
from server.secrets import CREDENTIAL_PREFIX

PATH: Final = (b"apis", b"authentication.k8s.io")
RESOURCE: Final = b"tokenreviews"
AUTHENTICATED: Final = "system:authenticated"
UNKNOWN: Final = "invalid bearer token"
"""What an API server says about a token that it does not know."""


class Reviewed(OwnAnswer):
    """The answer to a review of a credential of ours, as an API server writes it."""

    code = 201

    def __init__(self, review: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        super().__init__("a credential of the proxy's own was reviewed")
        self._document = {
            "kind": "TokenReview",
            "apiVersion": review.get("apiVersion", "authentication.k8s.io/v1"),
            "metadata": {"creationTimestamp": None},
            "spec": review.get("spec"),
            "status": status,
        }

    def body(self) -> bytes:
        """Write the review with its status."""
        return orjson.dumps(self._document)

    def headers(self, body: bytes) -> Headers:
        """Return the headers of the answer."""
        return [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]


def inspecting(
    method: str, segments: tuple[bytes, ...], bearer: Bearer, *, username: str
) -> Callable[[bytes], bytes] | None:
    """Return what looks at the body of a request, if it is a `TokenReview`."""
    if method != "POST" or segments[:2] != PATH or RESOURCE not in segments[3:]:
        return None
    return partial(_inspect, bearer=bearer, username=username)


def _inspect(body: bytes, *, bearer: Bearer, username: str) -> bytes:
    """Return the body that passes.

    Raises:
        Reviewed: it asks about a credential of ours.
        Refusal: it has one where it cannot be read.
    """
    try:
        review: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        if CREDENTIAL_PREFIX.encode() in body:
            raise Refusal(
                415,
                "UnsupportedMediaType",
                "a credential of this server's is reviewed in JSON only",
            ) from None
        return body
    spec = part(review, "spec") if isinstance(review, dict) else {}
    token = spec.get("token")
    if not isinstance(token, str) or not token.startswith(CREDENTIAL_PREFIX):
        if CREDENTIAL_PREFIX.encode() in body:  # a name that comes twice, a space before it
            raise Refusal(
                400, "BadRequest", "a credential of this server's is reviewed in spec.token only"
            )
        return body
    secret, _, of_cluster = token.partition(".")
    if secret != bearer.secret:
        raise Reviewed(review, {"user": {}, "error": UNKNOWN})
    if of_cluster:  # who it is for is the cluster's to say
        return orjson.dumps({**review, "spec": {**spec, "token": of_cluster}})
    if spec.get("audiences"):
        raise Reviewed(review, {"user": {}, "error": "the token is for no audience"})
    raise Reviewed(
        review,
        {
            "authenticated": True,
            "user": {"username": username, "groups": [PEOPLE, AUTHENTICATED]},
        },
    )
