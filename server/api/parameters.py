"""What OpenAPI says of parameters: the rules are those that the handlers check with."""

import re
from collections.abc import Iterator
from typing import Any, Final

from pyk8s.wire.base import TEXT_PATTERN
from pyk8s.wire.cluster import ID_OR_NAME_PATTERN
from server.api import resources
from server.api.clusters import MAX_KEY_LENGTH
from server.api.endpoint import Endpoint
from server.api.events import MAX_CURSOR_DIGITS

REF: Final = "#/components/schemas/{model}"
UUID: Final = {"type": "string", "format": "uuid"}
KUBERNETES_NAME: Final = {
    "type": "string",
    "pattern": resources.NAME,
    "maxLength": resources.NAME_CHARS,
}

IN_PATH: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "id_or_name": (
        "A cluster's id, or the name of a living one.",
        {"type": "string", "pattern": ID_OR_NAME_PATTERN},
    ),
    "token_id": ("A token's id.", UUID),
    "credential_id": ("A credential's id.", UUID),
    "app_id": ("A published app's id.", UUID),
    "namespace": ("A namespace inside the cluster.", KUBERNETES_NAME),
    "pod": ("The name of a pod in it.", KUBERNETES_NAME),
    "terminal_id": ("A terminal's id.", UUID),
}
IN_HEADER: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "Idempotency-Key": (
        "Any text that is new for a new request. The same request with the same key has one "
        "effect, and the same answer.",
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_KEY_LENGTH,
            "pattern": TEXT_PATTERN,
        },
    ),
    "If-None-Match": (
        "ETags that the client has, separated by commas, or `*`: one that is still so is answered "
        "with 304. What is none is left out.",
        {"type": "string", "pattern": r"^[\t -~]*$"},
    ),
    "Last-Event-ID": (
        "For the event stream: the last seq that the client has.",
        {"type": "string", "pattern": f"^[0-9]{{1,{MAX_CURSOR_DIGITS}}}$"},
    ),
}


def of(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Describe the parameters of an endpoint."""
    return [*_in_path(endpoint), *_in_query(endpoint), *_in_header(endpoint)]


def _in_path(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", endpoint.path):
        description, schema = IN_PATH[name]
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": schema,
        }


def _in_query(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    if endpoint.query is None:
        return
    schema = endpoint.query.model_json_schema(ref_template=REF)
    inner = schema.get("$defs", {})
    for name, field in schema["properties"].items():
        parameter = {
            "name": name,
            "in": "query",
            "required": False,
            "schema": _without_null(_inlined(field, inner)),
        }
        if parameter["schema"].get("type") == "array":
            parameter |= {"style": "form", "explode": False}
        yield parameter


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Take away null, which a query cannot say: a parameter that has no value is left out."""
    match schema:
        case {"anyOf": [dict(only), {"type": "null"}], **rest}:
            rest.pop("default", None)
            return {**only, **rest}
        case _:
            return schema


def _inlined(schema: Any, inner: dict[str, Any]) -> Any:
    match schema:
        case {"$ref": str(ref)}:
            return _inlined(inner[ref.rpartition("/")[2]], inner)
        case dict():
            return {key: _inlined(value, inner) for key, value in schema.items()}
        case list():
            return [_inlined(value, inner) for value in schema]
        case _:
            return schema


def _in_header(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in endpoint.headers:
        description, schema = IN_HEADER[name]
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "description": description,
            "schema": schema,
        }
