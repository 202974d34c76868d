"""Every answer is as OpenAPI describes it, and the examples there are real answers.

`RECORD_EXAMPLES=1 pytest tests/integration/test_rest_examples.py` writes the examples anew.
"""

import json
import os
import re
from itertools import count
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel

from pyk8s.wire import accounts
from pyk8s.wire.access import CreateCredential
from pyk8s.wire.apps import CreateLink
from pyk8s.wire.cluster import CreateCluster
from server.api import answers, openapi
from server.api.problems import MEDIA_TYPE
from tests.integration import hostile
from tests.integration.everything import World, ask_everything, settings, world

__all__ = ["settings", "world"]

Json = dict[str, Any]
JSON = "application/json"

BODIES: dict[type[BaseModel], Json] = {
    **hostile.VALID,
    accounts.CreateToken: {
        "name": "nightly build",
        "scopes": ["clusters:read", "clusters:write", "access"],
        "expires_in_seconds": 86400,
    },
    CreateCluster: {"name": "review", "template": "default", "labels": {"branch": "main"}},
    CreateCredential: {"name": "dashboard", "expires_in_seconds": 3600},
    CreateLink: {"expires_in_seconds": 600},
}
"""Requests that show more than the least there can be."""

EVERYWHERE = {
    *("content-type", "content-length", "transfer-encoding", "date", "cache-control", "vary"),
    *("x-accel-buffering", "content-encoding", "connection", "x-request-id"),
    *("x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"),
    *("cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy"),
}
"""Headers of HTTP itself and those that every answer of the server has: described nowhere."""

MAX_ITEMS = 4
MAX_LINES = 6


class Cleaner:
    """Replaces what differs from run to run: ids, instants, secrets, addresses."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._numbers = count(1)

    def text(self, text: str) -> str:
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", self._id, text)
        text = re.sub(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-11-24T22:48:11.510856Z", text
        )
        text = re.sub(r"(pyk8s_(?:kube_)?)[A-Za-z0-9_-]{20,}", r"\1...", text)
        text = re.sub(r"(-----BEGIN [A-Z ]+-----\n).*?\n(-----END)", r"\1...\n\2", text, flags=re.S)
        text = re.sub(r"LS0t[A-Za-z0-9+/=\n]*(?=\n)", "LS0t...", text)
        text = re.sub(r"(pyk8s-link)=[A-Za-z0-9_-]+", r"\1=...", text)
        text = re.sub(r"-[0-9a-f]{8}\.localhost", "-7c1b2a90.localhost", text)
        text = re.sub(r"pyk8s-[0-9a-f]{32}", "pyk8s-01a20fbec908732e9d3acac22032d976", text)
        return re.sub(r"(127\.0\.0\.1|localhost):\d+", r"\1:8000", text)

    def _id(self, found: re.Match[str]) -> str:
        known = self._ids
        if found[0] not in known:
            known[found[0]] = f"01a20fbe-c908-732e-9d3a-{next(self._numbers):012x}"
        return known[found[0]]

    def value(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(each) for each in value[:MAX_ITEMS]]
            case dict():
                return {key: self.value(each) for key, each in value.items()}
            case _:
                return value


def alike(written: Any, real: Any) -> bool:
    """Compare two answers to one request by names and types; null and an empty list may be more."""
    match written, real:
        case dict(), dict():
            same = written.keys() == real.keys()
            return same and all(alike(written[key], real[key]) for key in written)
        case list(), list():
            return not (written and real) or alike(written[0], real[0])
        case None, _:
            return True
        case _, None:
            return True
        case (bool(), _) | (_, bool()):
            return type(written) is type(real)
        case int() | float(), int() | float():
            return True
        case _:
            return type(written) is type(real)


def body_of(media_type: str, answer: httpx.Response, cleaner: Cleaner) -> Any:
    """Return what an example shows of an answer."""
    if media_type in {JSON, MEDIA_TYPE}:
        return cleaner.value(answer.json())
    if media_type.startswith("text/") or media_type.endswith("yaml"):
        lines = cleaner.text(answer.text).splitlines(keepends=True)
        return "".join(lines if "yaml" in media_type else lines[:MAX_LINES])
    return None


@pytest.mark.timeout(300)
async def test_every_answer_is_as_described(world: World) -> None:
    document = openapi.document()
    cleaner = Cleaner()
    recorded: Json = {"answers": {}, "bodies": {}, "problems": {}}
    wrong: list[str] = []
    for asked_for in await refusals(world):
        body = asked_for.json()
        recorded["problems"][body["code"]] = cleaner.value(body)
        if (found := document["components"]["examples"].get(body["code"])) and not alike(
            found["value"], body
        ):
            wrong.append(f"{body['code']}: the example is not what is answered")
    wrong += await other_types(world, document)
    async for asked in ask_everything(world, BODIES):
        endpoint, answer = asked.endpoint, asked.answer
        operation = document["paths"][endpoint.path][endpoint.method.lower()]
        described = operation["responses"].get(str(answer.status_code))
        if described is None or answer.status_code >= 400:
            wrong.append(f"{endpoint.name}: {answer.status_code} {answer.text[:200]}")
            continue
        wrong += headers_beyond(described, answer, endpoint.name)
        if asked.body is not None:
            recorded["bodies"][endpoint.name] = cleaner.value(asked.body)
        if not answer.content:
            continue
        media_type = answer.headers["content-type"].partition(";")[0]
        media = described["content"][media_type]
        if media_type == JSON:
            validator(document, media["schema"]).validate(answer.json())
        if (example := body_of(media_type, answer, cleaner)) is not None:
            shown = recorded["answers"].setdefault(endpoint.name, {})
            shown[str(answer.status_code)] = {media_type: example}
            if "example" in media and not alike(media["example"], example):
                wrong.append(f"{endpoint.name}: the example is not what is answered")
    if os.environ.get("RECORD_EXAMPLES"):
        text = json.dumps(recorded, indent=1, ensure_ascii=False, sort_keys=True)
        answers.EXAMPLES.write_text(text + "\n", encoding="utf-8")
    else:
        assert recorded["answers"].keys() == answers.recorded()["answers"].keys()
        assert recorded["bodies"] == answers.recorded()["bodies"]
        assert wrong == []


def validator(document: Json, schema: Json) -> Draft202012Validator:
    whole = {**schema, "components": document["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


def headers_beyond(described: Json, answer: httpx.Response, name: str) -> list[str]:
    """Compare the headers of an answer with those that are described."""
    known = {header.lower() for header in described.get("headers", {})}
    sent = {header.lower() for header in answer.headers}
    wrong = [f"{name} sends {header}" for header in sent - known - EVERYWHERE]
    # Of a last page; of a device that is known; of what is no stream.
    optional = {"link", "set-cookie", "ratelimit", "ratelimit-policy"}
    return wrong + [f"{name} does not send {header}" for header in known - sent - optional]


async def refusals(world: World) -> list[httpx.Response]:
    """Ask for what is refused, in each way that needs nothing special."""
    http = world.ann.http
    async with httpx.AsyncClient(base_url=world.ann.base_url, trust_env=False) as stranger:
        return [
            await stranger.get("/api/v1/auth/me"),
            await http.get("/api/v1/clusters/nothing"),
            await http.post("/api/v1/clusters", json={"workers": 99}),
            await http.post("/api/v1/clusters", json={"template": "huge"}),
            await http.post("/api/v1/clusters", json={"kubernetes_version": "1.2.3"}),
            await http.post("/api/v1/clusters", content="name=x"),
            await http.post("/api/v1/clusters", json={"name": "hanging"}),
            await http.get("/api/v1/clusters/hanging/usage"),
            await http.post("/api/v1/clusters/hanging/pause"),
            await http.get("/api/v1/clusters/hanging/evidence"),
            await http.get("/api/v1/clusters/hanging/events?after=100000"),
            await stranger.post(
                "/api/v1/auth/login", json={"username": "ann", "password": "wrong horse battery"}
            ),
            await stranger.post(
                "/api/v1/auth/login", json={}, headers={"Origin": "https://evil.example"}
            ),
        ]


async def other_types(world: World, document: Json) -> list[str]:
    """Ask for each media type that is described."""
    wrong = []
    for tail, cluster in (("kubeconfig", "demo"), ("evidence", "failed")):
        path = f"/api/v1/clusters/{{id_or_name}}/{tail}"
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        assert len(content) == 2
        for media_type in content:
            url = path.format(id_or_name=cluster)
            answer = await world.ann.http.get(url, headers={"Accept": media_type})
            given = answer.headers["content-type"].partition(";")[0]
            if (answer.status_code, given) != (200, media_type):
                wrong.append(f"{tail}: {answer.status_code} {given} for {media_type}")
    return wrong


def test_the_examples_keep_to_their_schemas() -> None:
    document = openapi.document()
    shown = 0
    for path in document["paths"].values():
        for operation in path.values():
            parts = [*operation["responses"].values(), operation.get("requestBody", {})]
            for media in [each for part in parts for each in part.get("content", {}).values()]:
                examples = [media["example"]] if "example" in media else []
                for example in media.get("examples", {}).values():
                    name = example["$ref"].rpartition("/")[2]
                    examples.append(document["components"]["examples"][name]["value"])
                for example in examples:
                    validator(document, media["schema"]).validate(example)
                    shown += 1
    assert shown > 300
    for header in document["components"]["headers"].values():
        validator(document, header["schema"]).validate(header["example"])


def test_every_answer_with_a_body_has_an_example() -> None:
    without = [
        f"{operation['operationId']} {status}"
        for path in openapi.document()["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        for media_type, media in answer.get("content", {}).items()
        if media_type in {JSON, MEDIA_TYPE} and not {"example", "examples"} & media.keys()
    ]
    assert without == ["readiness_readyz 503"], "nothing is amiss with a test's server"


@pytest.mark.parametrize(
    ("written", "real", "same"),
    [
        ({"a": 1}, {"a": 2.5}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": [{"b": 1}]}, {"a": []}, True),
        ({"a": [{"b": 1}]}, {"a": [{"b": "1"}]}, False),
        ({"a": None}, {"a": "x"}, True),
    ],
)
def test_a_difference_is_seen(written: Any, real: Any, same: bool) -> None:
    assert alike(written, real) is same
