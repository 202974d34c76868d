"""AsyncAPI 3.1 of the two WebSockets, from the models. `python -m server.api.asyncapi` prints it.

The schemas are those of OpenAPI. A payload here is an AsyncAPI Schema Object, which is JSON Schema
draft 07: what OpenAPI adds to it (`discriminator` with a mapping) is left out, nothing is lost.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

import orjson
from pydantic import BaseModel

from pyk8s.wire.events import ClusterEvent
from server import __version__
from server.api import openapi, stream_examples
from server.api.channels import BYTES, CHANNELS, DESCRIPTION, TOPICS, Channel, Operation
from server.api.protocol import (
    GOAWAY_RETRY_MS,
    HEARTBEAT_SECONDS,
    LIMITS,
    PING_SECONDS,
    PONG_SECONDS,
)

REF: Final = "#/components/schemas/"


def document(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Make the whole description. `schemas`: those of OpenAPI, by name."""
    messages = _messages()
    operations: dict[str, Any] = {}
    for name, channel in CHANNELS.items():
        operations |= {
            key: _operation(name, each, messages) for key, each in channel.operations.items()
        }
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "PyK8s Lab, the stream and the terminal",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
            "tags": [
                {"name": name, "description": channel.title} for name, channel in CHANNELS.items()
            ],
        },
        "defaultContentType": "application/json",
        "servers": {"plain": _server("ws"), "tls": _server("wss")},
        "channels": {name: _channel(name, channel) for name, channel in CHANNELS.items()},
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": _needed(messages, schemas),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "For programs: a token with the scope that its channel asks.",
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


def _channel(name: str, channel: Channel) -> dict[str, Any]:
    headers: dict[str, Any] = {
        name: {"type": "string", "description": meaning}
        for name, meaning in channel.handshake().items()
    }
    headers["Sec-WebSocket-Protocol"]["const"] = channel.subprotocol
    binding: dict[str, Any] = {
        "method": "GET",
        "headers": {
            "type": "object",
            "properties": headers,
            "required": ["Sec-WebSocket-Protocol"],
        },
        "bindingVersion": "0.1.0",
    }
    if channel.query is not None:
        binding["query"] = channel.query.model_json_schema()
    described = {
        "address": channel.address,
        "title": channel.title,
        "description": channel.meaning,
        "messages": {
            each: {"$ref": f"#/components/messages/{each}"} for each in channel.messages()
        },
        "bindings": {"ws": binding},
        "x-subprotocol": channel.subprotocol,
        "x-close-codes": [
            {"code": each.code, "reason": reason, "meaning": each.meaning, "action": each.then}
            for reason, each in channel.closings.items()
        ],
    }
    if channel.parameters:
        described["parameters"] = {
            name: {"description": meaning} for name, meaning in channel.parameters.items()
        }
    if name == "stream":
        described["x-topics"] = TOPICS
        described["x-event-types"] = [_event_type(each) for each in event_models()]
        described["x-limits"] = limits()
    return described


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


def _operation(channel: str, operation: Operation, messages: Mapping[str, Any]) -> dict[str, Any]:
    place = f"#/channels/{channel}"
    described: dict[str, Any] = {
        "action": operation.action,
        "channel": {"$ref": place},
        "summary": operation.meaning,
        "description": "\n\n".join(
            f"`{name}`: {messages[name]['summary']}" for name in operation.messages
        ),
        "tags": [{"name": channel}],
        "messages": _of_channel(place, operation.messages),
    }
    if operation.answers:
        described["reply"] = {
            "channel": {"$ref": place},
            "messages": _of_channel(place, operation.answers),
        }
    return described


def _of_channel(place: str, names: Iterable[str]) -> list[dict[str, str]]:
    return [{"$ref": f"{place}/messages/{name}"} for name in names]


def _messages() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    for channel in CHANNELS.values():
        new = set(channel.messages()) - set(messages)  # a frame of both looks the same in both
        for name, frame in channel.frames:
            if type(frame).__name__ in new:
                _add_example(messages, name, frame)
    messages[BYTES] = {
        "name": "bytes",
        "title": BYTES,
        "summary": "A binary frame: bytes of the terminal. Of a client 64 KiB at most.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    }
    return messages


def _add_example(messages: dict[str, Any], name: str, frame: BaseModel) -> None:
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


def _needed(messages: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Take what the messages need, and what that needs in turn."""
    wanted = [*_references([message["payload"] for message in messages.values()])]
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
