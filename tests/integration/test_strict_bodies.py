"""A number is a number and a truth a truth: nothing in a body is taken for what it is not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from websockets.exceptions import ConnectionClosed

from server.api.endpoint import Endpoint
from server.api.routes import ENDPOINTS
from tests.integration.conftest import Caller

JSON = {"Content-Type": "application/json"}
WRONG = {"integer": ("1", "3600", True, False, 1.5), "boolean": ("true", "no", 1, 0)}


def typed_fields() -> Iterator[tuple[Endpoint, str, str]]:
    """Yield each field of each body that is a whole number or a truth."""
    for endpoint in ENDPOINTS:
        if isinstance(endpoint.body, type) and issubclass(endpoint.body, BaseModel):
            schema = endpoint.body.model_json_schema()
            for name, field in schema["properties"].items():
                for part in field.get("anyOf", [field]):
                    if part.get("type") in WRONG:
                        yield endpoint, name, part["type"]


async def test_only_the_type_itself_is_taken(ann: Caller) -> None:
    taken = []
    for endpoint, field, kind in typed_fields():
        ids = {"id_or_name": "demo", "app_id": "00000000-0000-4000-8000-000000000000"}
        for value in WRONG[kind]:
            path = endpoint.path.format(**ids)
            answer = await ann.http.request(endpoint.method, path, json={field: value})
            errors = answer.json().get("errors") or []
            if answer.status_code != 422 or field not in [each["field"] for each in errors]:
                taken.append((endpoint.name, field, value))
            assert "Input should" not in answer.text
    assert taken == []


async def test_a_number_that_is_whole_is_a_whole_number(ann: Caller) -> None:
    """To JSON Schema 1.0 is an integer, and some languages write no other."""
    whole = await ann.http.post("/api/v1/clusters", content=b'{"workers": 1.0}', headers=JSON)
    assert whole.status_code == 202, whole.text
    assert whole.json()["workers"] == 1
    for beyond in (b"1e300", b"1e400", b"-1e300"):
        body = b'{"workers": ' + beyond + b"}"
        answer = await ann.http.post("/api/v1/clusters", content=body, headers=JSON)
        assert answer.status_code == 422, answer.text


def test_every_body_with_a_number_is_tried() -> None:
    tried = {f"{endpoint.name}.{field}" for endpoint, field, _ in typed_fields()}
    assert {
        "clusters_create.workers",
        "clusters_create.ttl_seconds",
        "clusters_extend.seconds",
        "accounts_create_token.expires_in_seconds",
        "access_create_credential.expires_in_seconds",
        "apps_publish.port",
        "admin_set_pool.size",
        "admin_repair.dry_run",
    } <= tried


async def test_queries_stay_texts(ann: Caller) -> None:
    answer = await ann.http.get("/api/v1/clusters?limit=1&include_deleted=true")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("after", ["1", True, 1.5])
async def test_a_frame_is_no_exception(ann: Caller, after: Any) -> None:
    cluster = await ann.create(name="demo")
    async with ann.stream() as socket:
        topic = f"cluster:{cluster['id']}"
        await socket.send(json.dumps({"type": "subscribe", "topic": topic, "after": after}))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4500
