"""What OpenAPI says of answers: bodies, headers and examples, of refusals too."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel

from server.api.audience import SSE
from server.api.endpoint import Endpoint
from server.api.problems import MEDIA_TYPE, WWW_AUTHENTICATE, type_of
from server.api.routes import EVERYWHERE
from server.api.streams import TooManySockets
from server.errors import LabError, TooManyAttempts, WrongCredentials

SchemaOf = Callable[[type[BaseModel]], dict[str, Any]]
"""Return where the schema of a model is."""

EXAMPLES: Final = Path(__file__).parent / "examples.json"
"""Real answers; `tests/integration/test_rest_examples.py` compares them and writes them anew."""

BINARY: Final = {"type": "string", "format": "binary"}
TEXT: Final = {"type": "string"}
SUCCESS: Final = {
    200: "Here it is",
    201: "Made",
    202: "Accepted; it happens now",
    204: "Done, nothing to tell",
    304: "What `If-None-Match` names is still so",
    503: "Not ready; the checks tell why",
}
BYTES: Final = ("application/gzip", "application/octet-stream")
WAITS: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
"""Refusals that always say when to come back."""
LIMIT: Final = ("RateLimit", "RateLimit-Policy")
LIMITED: Final = frozenset({TooManyAttempts, TooManySockets, WrongCredentials})
"""Refusals that say how much of a limit is left."""
MAY_WAIT: Final = (HTTPStatus.CONFLICT,)

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "Link": {
        "description": 'The next page of the list, as `rel="next"` (RFC 8288). Absent on the last '
        "one.",
        "schema": {"type": "string"},
        "example": '</api/v1/clusters?limit=2&cursor=MjAyNi0x>; rel="next"',
    },
    "ETag": {
        "description": "Of this answer: send it as `If-None-Match` to hear 304 while it is still "
        "so.",
        "schema": {"type": "string"},
        "example": 'W/"2c26b46b68ffc68ff99b453c"',
    },
    "Location": {
        "description": "Where the new cluster is.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/api/v1/clusters/01a20fbe-c908-732e-9d3a-cac22032d976",
    },
    "Content-Disposition": {
        "description": "The name for the file.",
        "schema": {"type": "string"},
        "example": 'attachment; filename="pyk8s-demo.yaml"',
    },
    "Set-Cookie": {
        "description": "The session of a browser. Signing out takes it back.",
        "schema": {"type": "string"},
        "example": "pyk8s_session=...; HttpOnly; Path=/; SameSite=strict",
    },
    "Retry-After": {
        "description": "So many seconds to wait before the same is asked again.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 5,
    },
    "RateLimit": {
        "description": "What is left of the limit for whoever asked, and after how many seconds "
        "there is more (draft-ietf-httpapi-ratelimit-headers). Absent where nothing is limited.",
        "schema": {"type": "string"},
        "example": '"tries";r=0;t=2',
    },
    "RateLimit-Policy": {
        "description": "The limit: of wrong tries, or of streams that are open at once.",
        "schema": {"type": "string"},
        "example": '"streams";q=20;qu="concurrent-requests"',
    },
    "WWW-Authenticate": {
        "description": "How to say who asks (RFC 6750).",
        "schema": {"type": "string"},
        "example": WWW_AUTHENTICATE,
    },
}


@cache
def recorded() -> dict[str, Any]:
    """Read the recorded requests and answers, by operation and status."""
    found: dict[str, Any] = orjson.loads(EXAMPLES.read_bytes())
    return found


def of(endpoint: Endpoint, schema_of: SchemaOf) -> dict[str, Any]:
    """Describe every answer of an endpoint, by status."""
    responses: dict[str, Any] = {}
    examples = recorded()["answers"].get(endpoint.name, {})
    for status, answer in endpoint.answers.items():
        described: dict[str, Any] = {"description": SUCCESS[status]}
        sent = (*endpoint.sends, *(LIMIT if TooManySockets in endpoint.errors else ()))
        if headers := {name: _ref("headers", name) for name in sent}:
            described["headers"] = headers
        if content := dict(_content(endpoint, answer, examples.get(str(status), {}), schema_of)):
            described["content"] = content
        responses[str(status)] = described
    for status, errors in sorted(errors_of(endpoint).items()):
        responses[str(status)] = _refusal(status, errors)
    return responses


def errors_of(endpoint: Endpoint) -> dict[int, list[type[LabError]]]:
    """Return what an endpoint refuses with, by status."""
    everywhere = () if endpoint.path == "/healthz" else EVERYWHERE
    by_status: dict[int, list[type[LabError]]] = {}
    for error in dict.fromkeys((*endpoint.errors, *everywhere)):
        if error.status not in endpoint.answers:
            by_status.setdefault(error.status, []).append(error)
    return by_status


def components(errors: Iterable[type[LabError]]) -> dict[str, Any]:
    """Describe the headers, and one refusal of each kind."""
    problems = recorded()["problems"]
    return {
        "headers": HEADERS,
        "examples": {
            error.code: {
                "summary": error.title,
                "value": problems.get(error.code) or _made_up(error),
            }
            for error in sorted(set(errors), key=lambda each: each.code)
        },
    }


def _content(
    endpoint: Endpoint, answer: Any, examples: dict[str, Any], schema_of: SchemaOf
) -> Iterator[tuple[str, dict[str, Any]]]:
    if answer is None:
        return
    if isinstance(answer, type) and issubclass(answer, BaseModel):
        yield "application/json", _media(schema_of(answer), examples.get("application/json"))
    else:
        for media_type in [answer] if isinstance(answer, str) else answer:
            schema = BINARY if media_type in BYTES else TEXT
            yield media_type, _media(schema, examples.get(media_type))
    if endpoint.streams:
        yield SSE, _media(TEXT, examples.get(SSE))


def _media(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _refusal(status: int, errors: list[type[LabError]]) -> dict[str, Any]:
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _ref("headers", "WWW-Authenticate")
    if status in WAITS or status in MAY_WAIT:
        headers["Retry-After"] = _ref("headers", "Retry-After")
    if LIMITED.intersection(errors):
        headers |= {name: _ref("headers", name) for name in LIMIT}
    return {
        "description": "; ".join(f"`{error.code}`: {error.title}" for error in errors),
        **({"headers": headers} if headers else {}),
        "content": {
            MEDIA_TYPE: {
                "schema": _ref("schemas", "Problem"),
                "examples": {error.code: _ref("examples", error.code) for error in errors},
            }
        },
    }


def _made_up(error: type[LabError]) -> dict[str, Any]:
    detail = " ".join((inspect.getdoc(error) or error.title).split())
    return {
        "type": type_of(error.code),
        "title": error.title,
        "status": error.status,
        "detail": detail,
        "code": error.code,
    }


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
