"""OpenAPI 3.1 from the route table and the models. `python -m server.api.openapi` prints it."""

import inspect
import sys
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from pyk8s.wire import frames, terminals
from pyk8s.wire.service import Problem
from server import __version__
from server.api import answers, parameters
from server.api.endpoint import Endpoint
from server.api.parameters import REF
from server.api.routes import ENDPOINTS, STREAM, TERMINAL

TAGS: Final = {
    "accounts": "Who you are",
    "clusters": "Clusters",
    "events": "What happens to a cluster",
    "access": "Ways into a cluster for kubectl and other clients of Kubernetes",
    "apps": "Ports inside a cluster that have a URL outside",
    "images": "Container images in a cluster's nodes",
    "resources": "What is inside a cluster",
    "terminals": "Shells in a cluster",
    "service": "The server itself",
    "readiness": "Whether the server can do its work",
    "metrics": "What the server sees of itself, for Prometheus",
    "admin": "For administrators",
}
DESCRIPTION: Final = (
    "Real, private, temporary Kubernetes clusters. Sign in (the cookie is set by the answer), or "
    "send `Authorization: Bearer pyk8s_...`. Errors are RFC 9457 problems with a stable `code` "
    "and a `fix`. The WebSocket `" + STREAM + "` has [a page of its own](/docs/stream), made from "
    "the AsyncAPI document [/asyncapi.json](/asyncapi.json); its frames are the schemas "
    "`ClientFrame` and `ServerFrame`. The WebSocket `" + TERMINAL + "` carries a shell; its text "
    "frames are the schemas `TerminalAsk` and `TerminalFrame`."
)


def document() -> dict[str, Any]:
    """Make the whole description."""
    models, schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        operation = _operation(endpoint, models)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PyK8s Lab",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that this document comes from."}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "x-websockets": {
            path: {
                "receives": {"$ref": REF.format(model=received)},
                "sends": {"$ref": REF.format(model=sent)},
            }
            for path, received, sent in WEBSOCKETS
        },
        "components": {
            "schemas": schemas,
            **answers.components(
                error
                for endpoint in ENDPOINTS
                for errors in answers.errors_of(endpoint).values()
                for error in errors
            ),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "pyk8s_session"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


_CLIENT: TypeAdapter[frames.ClientFrame] = TypeAdapter(frames.ClientFrame)
_SERVER: TypeAdapter[frames.ServerFrame] = TypeAdapter(frames.ServerFrame)
_TERMINAL_ASK: TypeAdapter[terminals.TerminalAsk] = TypeAdapter(terminals.TerminalAsk)
_TERMINAL: TypeAdapter[terminals.TerminalFrame] = TypeAdapter(terminals.TerminalFrame)
STREAM_FRAMES: Final[tuple[tuple[str, TypeAdapter[Any], "Mode"], ...]] = (
    ("ClientFrame", _CLIENT, "validation"),
    ("ServerFrame", _SERVER, "serialization"),
    ("TerminalAsk", _TERMINAL_ASK, "validation"),
    ("TerminalFrame", _TERMINAL, "serialization"),
)

WEBSOCKETS: Final = (
    (STREAM, "ClientFrame", "ServerFrame"),
    (TERMINAL, "TerminalAsk", "TerminalFrame"),
)
"""What goes over the WebSockets, for programs that make types from this document."""

Mode = Literal["validation", "serialization"]
Models = dict[tuple[type[BaseModel], Mode], dict[str, Any]]


def _schemas() -> tuple[Models, dict[str, Any]]:
    wanted: list[tuple[type[BaseModel], Mode]] = [(Problem, "serialization")]
    for endpoint in ENDPOINTS:
        models = (answer for answer in endpoint.answers.values() if isinstance(answer, type))
        wanted += [(model, "serialization") for model in models]
        if isinstance(endpoint.body, type):
            wanted.append((endpoint.body, "validation"))
    refs, definitions = models_json_schema(wanted, ref_template=REF)
    schemas: dict[str, Any] = definitions["$defs"]
    for name, adapter, mode in STREAM_FRAMES:
        schema = adapter.json_schema(mode=mode, ref_template=REF)
        schemas |= schema.pop("$defs")
        schemas[name] = schema
    by_model: Models = {
        (model, mode): ref for (model, mode), ref in refs.items() if issubclass(model, BaseModel)
    }
    return by_model, dict(sorted(schemas.items()))


def _operation(endpoint: Endpoint, models: Models) -> dict[str, Any]:
    summary, _, more = (inspect.getdoc(endpoint.handler) or "").partition("\n")
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": summary,
        "description": "\n\n".join(filter(None, (more.strip(), _who_may(endpoint)))),
        "tags": [endpoint.handler.__module__.rpartition(".")[2]],
        "parameters": parameters.of(endpoint),
        "responses": answers.of(endpoint, lambda model: models[model, "serialization"]),
        "security": _security(endpoint),
    }
    if endpoint.scope is not None:
        operation["x-scope"] = endpoint.scope.value
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _body(endpoint, models)}
    if not operation["parameters"]:
        del operation["parameters"]
    return operation


def _who_may(endpoint: Endpoint) -> str:
    if endpoint.public:
        return "Nobody has to be signed in."
    if endpoint.scope is None:
        return "For whoever is signed in, and for every token."
    return f"A token needs the scope `{endpoint.scope.value}`."


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    return [] if endpoint.public else [{"session": []}, {"token": []}]


def _body(endpoint: Endpoint, models: Models) -> dict[str, Any]:
    if isinstance(endpoint.body, type):
        schema = models[endpoint.body, "validation"]
        example = answers.recorded()["bodies"].get(endpoint.name, {})
        return {"application/json": {"schema": schema, "example": example}}
    return {media_type: {"schema": answers.BINARY} for media_type in endpoint.body or ()}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n")
