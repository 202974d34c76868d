"""The schemas of the API say what the server keeps to, in names and terms that generators take."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyk8s.wire.base import TEXT_PATTERN, Ask, check_text
from server.api import openapi, parameters
from server.api.routes import ENDPOINTS

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


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=1024))
def test_the_rule_of_texts_is_the_published_one(text: str) -> None:
    try:
        taken = check_text(text) == text
    except ValueError:
        taken = False
    assert taken == bool(re.fullmatch(TEXT_PATTERN[:-1], text))


@pytest.mark.parametrize("control", ["\0", "a\nb", "\x7f", "\x85", "x" * 1025])
def test_a_field_without_a_rule_of_its_own_has_the_rule_of_texts(control: str) -> None:
    class Named(Ask):
        name: str

    described = Named.model_json_schema()["properties"]["name"]
    assert (described["pattern"], described["maxLength"]) == (TEXT_PATTERN, 1024)
    with pytest.raises(ValueError, match=r"control character|at most"):
        Named(name=control)


def test_every_text_of_a_request_has_its_rule_written_down(document: Json) -> None:
    known = {"pattern", "enum", "const", "format"}
    loose: list[str] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                loose += [
                    f"{method} {path} {parameter['name']}"
                    for part in texts(parameter["schema"])
                    if not known & part.keys()
                ]
    asked = {e.body.__name__ for e in ENDPOINTS if isinstance(e.body, type)}
    for name, field, described in fields(document):
        if name in asked:
            loose += [f"{name}.{field}" for part in texts(described) if not known & part.keys()]
    assert loose == []


def texts(schema: Json) -> Iterator[Json]:
    if schema.get("type") == "string":
        yield schema
    for part in (*schema.get("anyOf", ()), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            yield from texts(part)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("id_or_name", ["demo", "a", "01a20fbe-c908-732e-9d3a-cac22032d976"], ["", "Demo", "a/b"]),
        ("pod", ["web", "web-5d7.a"], ["", "Web", "a_b", "-a"]),
        ("namespace", ["kube-system"], ["kube_system", "a" * 254]),
    ],
)
def test_paths_have_patterns(name: str, good: list[str], bad: list[str]) -> None:
    schema = parameters.IN_PATH[name][1]

    def fits(text: str) -> bool:
        short = len(text) <= schema.get("maxLength", 1024)
        return short and bool(re.search(schema["pattern"], text))

    assert all(map(fits, good))
    assert not any(map(fits, bad))


def test_every_operation_is_described(document: Json) -> None:
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            used |= {*operation["tags"]}
    assert used == set(tags)
    assert document["servers"]


def test_refusals_say_when_to_come_back(document: Json) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                if "application/problem+json" in answer.get("content", {}):
                    headers = answer.get("headers", {})
                    assert ("Retry-After" in headers) or status not in {"429", "503"}
                    assert ("WWW-Authenticate" in headers) == (status == "401")
