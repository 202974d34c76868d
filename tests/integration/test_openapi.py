"""The description of the API is valid, and the server keeps to it."""

from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from server.api import descriptions
from server.api.routes import ENDPOINTS
from tests.integration.conftest import Caller


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The description as it is served."""
    parsed: dict[str, Any] = orjson.loads(descriptions.write().openapi.body)
    return parsed


def test_it_is_valid_and_whole(document: dict[str, Any]) -> None:
    validate(document)
    described = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert described == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    ids = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(set(ids)) == len(ids)


def test_every_event_and_frame_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    events = schemas["EventPage"]["properties"]["items"]["items"]
    assert events["discriminator"]["propertyName"] == "type"
    assert set(events["discriminator"]["mapping"]) >= {"created", "phase_changed", "log_line"}
    assert {"Hello", "Goaway", "Subscribe", "ClientFrame", "ServerFrame"} <= set(schemas)


async def test_answers_keep_to_their_schemas(ann: Caller, document: dict[str, Any]) -> None:
    cluster = await ann.create(name="demo", labels={"simulate": "fail-late"})
    await ann.until(cluster["id"], "failed")
    asked = {
        "/api/v1/server": "/api/v1/server",
        "/api/v1/auth/me": "/api/v1/auth/me",
        "/api/v1/tokens": "/api/v1/tokens",
        "/api/v1/templates": "/api/v1/templates",
        "/api/v1/capacity": "/api/v1/capacity",
        "/api/v1/clusters": "/api/v1/clusters",
        "/api/v1/clusters/{id_or_name}": "/api/v1/clusters/demo",
        "/api/v1/clusters/{id_or_name}/events": "/api/v1/clusters/demo/events",
        "/readyz": "/readyz",
    }
    for path, url in asked.items():
        answer = await ann.http.get(url)
        described = document["paths"][path]["get"]["responses"][str(answer.status_code)]
        schema = described["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        Draft202012Validator(whole).validate(answer.json())
