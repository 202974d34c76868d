"""OpenAPI 3.1 from the route table and the models. `python -m server.api.openapi` prints it."""

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from pyk8s.wire import frames, terminals
from pyk8s.wire.service import Problem
from server import __version__
from server.api.clusters import MAX_KEY_LENGTH
from server.api.endpoint import Endpoint
from server.api.routes import ENDPOINTS, EVERYWHERE, STREAM, TERMINAL
from server.errors import LabError

REF: Final = "#/components/schemas/{model}"
PROBLEM: Final = "application/problem+json"

TAGS: Final = {
    "accounts": "Who you are",
    "clusters": "Clusters",
    "events": "What happens to a cluster",
    "resources": "What is inside a cluster",
    "terminals": "Shells in a cluster",
    "service": "The server itself",
    "admin": "For administrators",
}
PARAMETERS: Final = {
    "id_or_name": "A cluster's id, or the name of a living one.",
    "token_id": "A token's id.",
    "credential_id": "A credential's id.",
    "app_id": "A published app's id.",
    "namespace": "A namespace inside the cluster.",
    "pod": "The name of a pod in it.",
    "terminal_id": "A terminal's id.",
    "Idempotency-Key": "Any text that is new for a new request. The same request with the same "
    "key has one effect, and the same answer.",
    "Last-Event-ID": "For the event stream: the last seq that the client has.",
}
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Idempotency-Key": {"minLength": 1, "maxLength": MAX_KEY_LENGTH},
    "Last-Event-ID": {"pattern": "^[0-9]{1,16}$"},
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
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas,
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
    tag = endpoint.handler.__module__.rpartition(".")[2]
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": (endpoint.handler.__doc__ or "").strip().splitlines()[0],
        "tags": [tag],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)]
        + [_header(name) for name in endpoint.headers],
        "responses": _responses(endpoint, models),
        "security": [] if endpoint.public else [{"session": []}, {"token": []}],
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _body(endpoint.body, models)}
    if not operation["parameters"]:
        del operation["parameters"]
    return operation


def _body(body: type[BaseModel] | Sequence[str], models: Models) -> dict[str, Any]:
    if isinstance(body, type):
        return {"application/json": {"schema": models[body, "validation"]}}
    return {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in body}


def _path_parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", endpoint.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": PARAMETERS[name],
            "schema": {"type": "string"},
        }


def _query_parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if endpoint.query is None:
        return
    schema = endpoint.query.model_json_schema(ref_template=REF)
    inner = schema.get("$defs", {})
    for name, field in schema["properties"].items():
        parameter = {
            "name": name,
            "in": "query",
            "required": False,
            "schema": _inlined(field, inner),
        }
        if "array" in str(field.get("type", field)):
            parameter |= {"style": "form", "explode": False}
        yield parameter


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


def _header(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": PARAMETERS[name],
        "schema": {"type": "string", **HEADERS[name]},
    }


def _responses(endpoint: Endpoint, models: Models) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in endpoint.answers.items():
        content: dict[str, Any] | None = None
        if isinstance(answer, str):
            content = {answer: {"schema": {"type": "string"}}}
        elif answer is not None:
            content = {"application/json": {"schema": models[answer, "serialization"]}}
        if endpoint.path.endswith(("/events", "/resources")) and content is not None:
            content["text/event-stream"] = {"schema": {"type": "string"}}
        responses[str(status)] = {"description": _meaning(status)}
        if content is not None:
            responses[str(status)]["content"] = content
    everywhere = () if endpoint.path == "/healthz" else EVERYWHERE
    by_status: dict[int, list[type[LabError]]] = {}
    for error in dict.fromkeys((*endpoint.errors, *everywhere)):
        if error.status not in endpoint.answers:
            by_status.setdefault(error.status, []).append(error)
    for status, errors in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{error.code}`: {error.title}" for error in errors),
            "content": {PROBLEM: {"schema": models[Problem, "serialization"]}},
        }
    return responses


def _meaning(status: int) -> str:
    return {
        200: "Here it is",
        201: "Made",
        202: "Accepted; it happens now",
        204: "Done, nothing to tell",
        503: "Not ready; the checks tell why",
    }[status]


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n")
