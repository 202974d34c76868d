"""The schemas of the API say what the server keeps to, in names and terms that generators take."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from server.api import openapi

Json = dict[str, Any]

TIME = re.compile(r"(^|_)at$|^last_seen$|^last_transition_time$")
"""Names of fields that hold an instant."""


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi.document()


def fields(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield each field of each schema, with the schema's name."""
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            yield name, field, described


def alternatives(schema: Json) -> list[Json]:
    """Return what a value may be, of which one may be null."""
    parts: list[Json] = schema.get("anyOf", [schema])
    return [part for part in parts if part.get("type") != "null"]


def test_times_are_times(document: Json) -> None:
    times = [
        (f"{name}.{field}", part.get("format"))
        for name, field, described in fields(document)
        if TIME.search(field)
        for part in alternatives(described)
    ]
    assert len(times) > 50
    assert [each for each in times if each[1] != "date-time"] == []


def test_what_tells_alternatives_apart_is_always_there(document: Json) -> None:
    schemas = document["components"]["schemas"]
    seen = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("discriminator"), dict):
                found = part["discriminator"]
                for reference in found["mapping"].values():
                    name = reference.rpartition("/")[2]
                    assert found["propertyName"] in schemas[name]["required"], name
                    seen.add(name)
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(document)
    assert {"LogLineEvent", "PodRow", "NoteEvent"} <= seen


def test_schemas_have_names_of_their_own(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)] == []
    titles = [schema.get("title", name) for name, schema in schemas.items()]
    assert sorted(titles) == sorted(set(titles))
