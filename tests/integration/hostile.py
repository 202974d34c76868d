"""Hostile values, and the requests that carry each of them in every parameter of every route.

Parameters come from the table of routes, so that a new route is covered the day it is there.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel

from pyk8s.wire import accounts
from pyk8s.wire.access import CreateCredential
from pyk8s.wire.admin import RepairDrift, SetPool
from pyk8s.wire.apps import CreateLink, PublishApp
from pyk8s.wire.cluster import CreateCluster, ExtendLease
from server.api.endpoint import Endpoint
from server.api.routes import ENDPOINTS

TEXTS: Final = (
    "\0",
    "a\0b",
    "\x1b[2J",
    "\u202etxt.exe",
    "😀" * 50,
    "x" * 5000,
    "-1",
    "9" * 5000,
    "1e309",
    "²",
    "../../etc/passwd",
    "%",
    "' OR 1=1--",
)
RAW_IN_PATH: Final = ("%ff%fe", "%ed%a0%80", "%c0%80", "%25%30%30")
HEADERS: Final = (b"", b"\x80", b"\xff" * 10, b"9" * 5000, "²".encode("latin-1"), b"a\tb", b"-1")
FRAGMENTS: Final = (
    *(json.dumps(text) for text in TEXTS),
    json.dumps([TEXTS[0]]),
    json.dumps({TEXTS[0]: TEXTS[0]}),
    "null",
    "true",
    "-1",
    "1.5",
    "9223372036854775808",
    "1" * 400,
    "1" * 5000,
    "1e400",
    "NaN",
    "-Infinity",
    "[]",
    "{}",
    '{"a":{"b":[{}]}}',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\x"',
    "[" * 10_000 + "]" * 10_000,
)
PASSWORD: Final = "correct horse battery"

VALID: Final[Mapping[type[BaseModel], dict[str, Any]]] = {
    accounts.Register: {"username": "zed", "password": PASSWORD},
    accounts.Login: {"username": "ann", "password": PASSWORD},
    accounts.CreateToken: {"name": "more", "scopes": ["access"]},
    CreateCluster: {},
    ExtendLease: {"seconds": 60},
    CreateCredential: {},
    PublishApp: {"target": "api", "port": 81},
    CreateLink: {},
    SetPool: {"template": "default", "size": 0},
    RepairDrift: {},
}


@dataclass(frozen=True, slots=True)
class Shot:
    """A request with one hostile value. `parameter`: where it is, as OpenAPI names it."""

    endpoint: Endpoint
    parameter: tuple[str, str]
    url: str
    content: bytes | None = None
    headers: Sequence[tuple[bytes, bytes]] = field(default_factory=tuple)

    def __str__(self) -> str:
        sent = repr(self.content)[:80]
        return f"{self.endpoint.method} {self.url[:120]} {self.parameter} {sent} {self.headers!r}"


def parameters_of(endpoint: Endpoint) -> set[tuple[str, str]]:
    """Return each parameter that a route has, by place and name."""
    found = {("path", name) for name in re.findall(r"{(\w+)}", endpoint.path)}
    found |= {("query", name) for name in (endpoint.query.model_fields if endpoint.query else ())}
    found |= {("header", name) for name in endpoint.headers}
    if isinstance(endpoint.body, type):
        found |= {("body", name) for name in endpoint.body.model_fields}
    return found


def shots(valid_path: Mapping[str, str]) -> Iterator[Shot]:
    """Yield each hostile request; whatever else is in it exists."""
    for endpoint in ENDPOINTS:
        url = endpoint.path.format(**valid_path)
        yield from _in_path(endpoint, valid_path)
        for place, name in sorted(parameters_of(endpoint)):
            if place == "query":
                for text in TEXTS:
                    yield Shot(endpoint, (place, name), f"{url}?{name}={quote(text, safe='')}")
                yield Shot(endpoint, (place, name), f"{url}?{name}=%ff&{name}=%00")
            elif place == "header":
                for value in HEADERS:
                    sent = [(name.encode(), value), (b"Accept", b"text/event-stream")]
                    body = None
                    if endpoint.body is not None:
                        sent.append((b"Content-Type", b"application/json"))
                        body = b"{}"
                    yield Shot(endpoint, (place, name), url, body, sent)
        yield from _in_body(endpoint, url)


def _in_path(endpoint: Endpoint, valid_path: Mapping[str, str]) -> Iterator[Shot]:
    for name in re.findall(r"{(\w+)}", endpoint.path):
        for value in (*(quote(text, safe="") for text in TEXTS), *RAW_IN_PATH):
            url = endpoint.path.format(**{**valid_path, name: value})
            yield Shot(endpoint, ("path", name), url)


def _in_body(endpoint: Endpoint, url: str) -> Iterator[Shot]:
    if not isinstance(endpoint.body, type):
        if endpoint.method == "GET":
            return
        for body in (b'{"a":1}', b"[" * 100_000, b"\0" * 100, b"x" * (1 << 20)):
            yield Shot(endpoint, ("body", ""), url, body, [(b"Content-Type", b"application/json")])
        return
    valid = VALID[endpoint.body]
    json_type = [(b"Content-Type", b"application/json")]
    for name in endpoint.body.model_fields:
        rest = {key: value for key, value in valid.items() if key != name}
        for fragment in FRAGMENTS:
            members = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in rest.items()]
            text = "{" + ",".join([*members, f'"{name}":{fragment}']) + "}"
            yield Shot(endpoint, ("body", name), url, text.encode(), json_type)
    whole = json.dumps(valid).encode()
    for body in (
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\0",
        whole + b"}",
        b"\xff\xfe" + whole,
        json.dumps(valid).encode("utf-16"),
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"[" * 100_000,
        b'{"name":"' + b"x" * (1 << 20) + b'"}',
        b'{"x":1,"x":2}',
        b'{"\\u0000":1}',
        b"{" + b",".join(b'"%d":1' % number for number in range(5000)) + b"}",
    ):
        yield Shot(endpoint, ("body", ""), url, body, json_type)
    for media_type in (b"", b"text/plain", b"application/json\xff", b"multipart/form-data"):
        yield Shot(endpoint, ("body", ""), url, whole, [(b"Content-Type", media_type)])


FRAMES: Final = (
    *(f'{{"type":"ping","nonce":{fragment}}}' for fragment in FRAGMENTS),
    *(f'{{"type":"subscribe","topic":{fragment}}}' for fragment in FRAGMENTS),
    *(f'{{"type":"subscribe","topic":"TOPIC","after":{fragment}}}' for fragment in FRAGMENTS),
    *(f'{{"type":"subscribe","topic":"TOPIC","epoch":{fragment}}}' for fragment in FRAGMENTS),
    *(f'{{"type":"unsubscribe","topic":{fragment}}}' for fragment in FRAGMENTS),
    *(f'{{"type":{fragment}}}' for fragment in FRAGMENTS),
    '{"type":"ping","nonce":"a","nonce":"b"}',
    "[" * 60_000,
    "",
    "null",
)
TERMINAL_FRAMES: Final = (
    *(f'{{"type":"resize","rows":{fragment},"cols":80}}' for fragment in FRAGMENTS),
    *(f'{{"type":"resize","rows":24,"cols":{fragment}}}' for fragment in FRAGMENTS),
    *(f'{{"type":"ack","offset":{fragment}}}' for fragment in FRAGMENTS),
    *(f'{{"type":"ping","nonce":{fragment}}}' for fragment in FRAGMENTS),
    *(f'{{"type":{fragment}}}' for fragment in FRAGMENTS),
    "[" * 60_000,
    "",
    "null",
)
