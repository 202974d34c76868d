"""Linters of OpenAPI and AsyncAPI find nothing; their rule files say what is off, and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.spec.tools import ASYNCAPI, HERE, OPENAPI, node_tool, run

Json = dict[str, Any]
pytestmark = pytest.mark.timeout(400)

REST: Json = {
    "openapi": "3.1.0",
    "info": {"title": "x", "version": "1", "license": {"name": "MIT", "identifier": "MIT"}},
    "paths": {
        "/x": {
            method: {"operationId": "same", "responses": {"200": {"description": "x"}}}
            for method in ("get", "put")
        }
    },
    "components": {"schemas": {"Nobody": {"type": "object"}}},
}
STREAM: Json = {
    "asyncapi": "3.1.0",
    "info": {"title": "x", "version": "1"},
    "channels": {"x": {"address": "/x"}},
    "operations": {"tell": {"action": "send", "channel": {"$ref": "#/channels/x"}}},
}
"""Documents with mistakes: a linter that finds none in them looks at nothing."""


def write(path: Path, document: Json) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_spectral(tmp_path: Path) -> None:
    broken = [write(tmp_path / "rest.json", REST), write(tmp_path / "stream.json", STREAM)]
    ended = run(
        *(node_tool("spectral"), "lint", "--quiet", "--format", "json"),
        *("--ruleset", HERE / "spectral.yaml", OPENAPI, ASYNCAPI, *broken),
    )
    found = {(Path(each["source"]), each["code"]) for each in json.loads(ended.stdout)}
    assert {each for each in found if each[0] in {OPENAPI, ASYNCAPI}} == set(), ended.stdout[:2000]
    assert {code for _, code in found} >= {
        "oas3-api-servers",
        "operation-description",
        "oas3-unused-component",
        "asyncapi-3-operation-description",
    }


def test_redocly(tmp_path: Path) -> None:
    broken = write(tmp_path / "rest.json", REST)
    ended = run(
        *(node_tool("redocly"), "lint", "--format", "json", "--config", HERE / "redocly.yaml"),
        *(OPENAPI, broken),
    )
    found = set()
    reports = 0
    rest = ended.stdout
    while "{" in rest:
        rest = rest[rest.index("{") :]
        report, end = json.JSONDecoder().raw_decode(rest)
        rest, reports = rest[end:], reports + 1
        for problem in report["problems"]:
            source = problem["location"][0]["source"]["ref"]
            found.add(((HERE / source).resolve(), problem["ruleId"]))
    assert reports == 2, ended.stdout + ended.stderr
    assert {each for each in found if each[0] == OPENAPI} == set(), ended.stdout[:2000]
    assert {rule for _, rule in found} >= {"no-empty-servers", "operation-operationId-unique"}
