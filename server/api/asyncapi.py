"""AsyncAPI 3.0 of the stream, from the models. `python -m server.api.asyncapi` prints it.

The schemas are those of OpenAPI. A payload here is an AsyncAPI Schema Object, which is JSON Schema
draft 07: what OpenAPI adds to it (`discriminator` with a mapping) is left out, nothing is lost.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import orjson
from pydantic import BaseModel

from pyk8s.wire.events import ClusterEvent
from pyk8s.wire.frames import SUBPROTOCOL
from server import __version__
from server.api import openapi, stream_examples
from server.api.endpoint import API
from server.api.protocol import (
    CLOSINGS,
    GOAWAY_RETRY_MS,
    HEARTBEAT_SECONDS,
    LIMITS,
    PING_SECONDS,
    PONG_SECONDS,
)
from server.api.routes import STREAM

REF: Final = "#/components/schemas/"
CHANNEL: Final = "#/channels/stream"

DESCRIPTION: Final = (
    "Follow what happens to clusters: every event in order, without a gap and without a repeat, "
    "across lost connections and restarts of the server. `after` of `subscribe` is the cursor: "
    f"the last `seq` that the client has. The same cursor resumes `GET {API}/clusters/{{id}}"
    "/events`, as pages (`after`, `next_after`) and as SSE (`Last-Event-ID`): see "
    "[the REST API](/docs). Clients ignore types and fields that they do not know."
)
TOPICS: Final[Mapping[str, str]] = {
    "cluster:<id>": "Every event of one cluster. Without `after`: a `snapshot` (its `seq` is the "
    "cursor), then every later event. With `after: n`: every event with `seq` > n, no snapshot. "
    "A `bookmark` tells when the client is up to date, and comes again when nothing is new; `end` "
    "follows the last event of a deleted cluster.",
    "clusters": "All clusters of the caller: a `snapshot` of them, then every event but log lines, "
    "each with its `cluster_id`. There is no cursor: after a reconnect comes a snapshot again.",
}
HANDSHAKE: Final = {
    "Sec-WebSocket-Protocol": "The subprotocol. Without it: HTTP 422.",
    "Authorization": "Programs: `Bearer pyk8s_...`, with the scope `clusters:read`.",
    "Cookie": "Browsers: the session, set by signing in. Never a secret in the address.",
    "Origin": "Browsers: exactly an origin of this server. Else: HTTP 403.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What the server does with some messages; `answers` are what may come of it."""

    action: Literal["receive", "send"]
    meaning: str
    messages: tuple[str, ...]
    answers: tuple[str, ...] = ()


TOLD: Final = ("ClusterSnapshot", "ClustersSnapshot", "Events", "Bookmark", "Lagged", "End")
OPERATIONS: Final[Mapping[str, Operation]] = {
    "subscribe": Operation(
        "receive", "A client follows a topic.", ("Subscribe",), (*TOLD, "StreamError")
    ),
    "unsubscribe": Operation("receive", "A client leaves a topic.", ("Unsubscribe",)),
    "ping": Operation("receive", "A client asks for a sign of life.", ("Ping",), ("Pong",)),
    "greet": Operation("send", "The server begins each connection.", ("Hello",)),
    "tell": Operation("send", "The server tells what happens on a followed topic.", TOLD),
    "refuse": Operation("send", "The server says why it refuses or closes.", ("StreamError",)),
    "answer": Operation("send", "The server gives a sign of life.", ("Pong",)),
    "leave": Operation("send", "The server is about to stop.", ("Goaway",)),
}


def document(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Make the whole description. `schemas`: those of OpenAPI, by name."""
    messages = _messages()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PyK8s Lab, the stream",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"plain": _server("ws"), "tls": _server("wss")},
        "channels": {"stream": _channel(messages)},
        "operations": {name: _operation(each) for name, each in OPERATIONS.items()},
        "components": {
            "messages": messages,
            "schemas": _needed(messages, schemas),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "For programs: a token with the scope `clusters:read`.",
                },
                "session": {
                    "type": "httpApiKey",
                    "in": "cookie",
                    "name": "pyk8s_session",
                    "description": "For browsers, together with an `Origin` of this server. Under "
                    "TLS its name is `__Host-pyk8s_session`.",
                },
            },
        },
    }


def _server(protocol: str) -> dict[str, Any]:
    return {
        "host": "{host}",
        "protocol": protocol,
        "description": "A server behind TLS." if protocol == "wss" else "A server as it starts.",
        "variables": {
            "host": {"default": "localhost:8000", "description": "Where the server answers."}
        },
        "security": [
            {"$ref": "#/components/securitySchemes/token"},
            {"$ref": "#/components/securitySchemes/session"},
        ],
    }


def _channel(messages: Mapping[str, Any]) -> dict[str, Any]:
    topics = "\n".join(f"- `{name}`: {meaning}" for name, meaning in TOPICS.items())
    headers = {
        name: {"type": "string", "description": meaning} for name, meaning in HANDSHAKE.items()
    }
    headers["Sec-WebSocket-Protocol"]["const"] = SUBPROTOCOL
    return {
        "address": STREAM,
        "title": "The stream",
        "description": f"One WebSocket carries any number of topics, as JSON text.\n\n{topics}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": headers,
                    "required": ["Sec-WebSocket-Protocol"],
                },
                "bindingVersion": "0.1.0",
            }
        },
        "x-subprotocol": SUBPROTOCOL,
        "x-topics": TOPICS,
        "x-event-types": [_event_type(each) for each in event_models()],
        "x-limits": limits(),
        "x-close-codes": [
            {"code": each.code, "reason": reason, "meaning": each.meaning, "action": each.then}
            for reason, each in CLOSINGS.items()
        ],
    }


def limits() -> dict[str, Any]:
    """Give every number that a client should know, with its unit in its name."""
    return {
        **LIMITS.model_dump(),
        "heartbeat_seconds": HEARTBEAT_SECONDS,
        "ping_seconds": PING_SECONDS,
        "pong_seconds": PONG_SECONDS,
        "goaway_retry_after_ms": GOAWAY_RETRY_MS,
    }


def event_models() -> tuple[type[BaseModel], ...]:
    """Give the model of each type of event, envelope and all."""
    union, _ = get_args(ClusterEvent)
    models: tuple[type[BaseModel], ...] = get_args(union)
    return models


def _event_type(model: type[BaseModel]) -> dict[str, Any]:
    data = model.model_fields["data"].annotation
    return {
        "type": model.model_fields["type"].default,
        "version": getattr(data, "VERSION", 1),
        "meaning": _meaning(data),
        "schema": {"$ref": f"{REF}{model.__name__}"},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "action": operation.action,
        "channel": {"$ref": CHANNEL},
        "summary": operation.meaning,
        "messages": _of_channel(operation.messages),
    }
    if operation.answers:
        described["reply"] = {
            "channel": {"$ref": CHANNEL},
            "messages": _of_channel(operation.answers),
        }
    return described


def _of_channel(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"$ref": f"{CHANNEL}/messages/{name}"} for name in names]


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    frames = (*stream_examples.client_frames(), *stream_examples.server_frames())
    for name, frame in frames:
        model = type(frame)
        payload = stream_examples.plain(frame)
        message = messages.setdefault(
            model.__name__,
            {
                "name": payload["type"],
                "title": model.__name__,
                "summary": _meaning(model),
                "payload": {"$ref": f"{REF}{model.__name__}"},
                "examples": [],
            },
        )
        if "nonce" in payload:
            message["correlationId"] = {"location": "$message.payload#/nonce"}
        message["examples"].append({"name": name, "payload": payload})
    return messages


def _needed(messages: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Take what the messages need, and what that needs in turn."""
    wanted = list(messages)
    found: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = _portable(schemas[name])
            wanted += _references(found[name])
    return dict(sorted(found.items()))


def _portable(schema: Any) -> Any:
    match schema:
        case dict():
            return {
                key: _portable(value)
                for key, value in schema.items()
                if not (key == "discriminator" and isinstance(value, dict))
            }
        case list():
            return [_portable(value) for value in schema]
        case _:
            return schema


def _references(schema: Any) -> Iterator[str]:
    match schema:
        case {"$ref": str(reference)}:
            yield reference.removeprefix(REF)
        case dict():
            for value in schema.values():
                yield from _references(value)
        case list():
            for value in schema:
                yield from _references(value)


def _meaning(model: object) -> str:
    return " ".join((inspect.getdoc(model) or "").split())


if __name__ == "__main__":
    described = document(openapi.document()["components"]["schemas"])
    sys.stdout.write(orjson.dumps(described, option=orjson.OPT_INDENT_2).decode() + "\n")
