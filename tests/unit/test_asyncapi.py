"""The description of the stream is valid AsyncAPI, whole, and its examples keep to it."""

import copy
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from jsonschema import Draft7Validator

from pyk8s.wire import facts, frames, terminals
from server.api import descriptions, openapi
from server.api.protocol import CLOSE_CODES, LIMITS, TERMINAL_CODES
from tests.asyncapi.check import is_json_pointer_of, messages_of, payload_validator

OFFICIAL = Path(__file__).parents[1] / "asyncapi" / "asyncapi-3.1.0.json"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    """The description as it is served."""
    parsed: Json = orjson.loads(descriptions.write().asyncapi.body)
    return parsed


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    return Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))


def test_it_is_valid(document: Json, official: Draft7Validator) -> None:
    official.validate(document)


def test_every_operation_is_described(document: Json) -> None:
    tags = {tag["name"] for tag in document["info"]["tags"]}
    assert tags == set(document["channels"])
    for operation in document["operations"].values():
        assert operation["summary"]
        assert operation["description"]
        assert {tag["name"] for tag in operation["tags"]} <= tags


def _drop_action(it: Json) -> None:
    del it["operations"]["subscribe"]["action"]


def _wrong_direction(it: Json) -> None:
    it["operations"]["tell"]["action"] = "publish"


def _object_as_discriminator(it: Json) -> None:
    it["components"]["schemas"]["Events"]["discriminator"] = {"propertyName": "type"}


def _unknown_field(it: Json) -> None:
    it["channels"]["stream"]["topics"] = {}


def _example_without_content(it: Json) -> None:
    it["components"]["messages"]["Hello"]["examples"] = [{"name": "empty"}]


def _old_version(it: Json) -> None:
    it["asyncapi"] = "2.6.0"


BREAKAGES = [
    _drop_action,
    _wrong_direction,
    _object_as_discriminator,
    _unknown_field,
    _example_without_content,
    _old_version,
]


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda each: each.__name__.strip("_"))
def test_a_broken_one_is_found_out(
    document: Json, official: Draft7Validator, breakage: Callable[[Json], None]
) -> None:
    broken = copy.deepcopy(document)
    breakage(broken)
    assert not official.is_valid(broken)


def references(part: Any) -> Iterator[str]:
    match part:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for value in part.values():
                yield from references(value)
        case list():
            for value in part:
                yield from references(value)


def test_every_reference_leads_somewhere(document: Json) -> None:
    found = set(references(document))
    assert len(found) > 40
    assert {each for each in found if not is_json_pointer_of(each, document)} == set()
    assert not is_json_pointer_of("#/components/schemas/Nothing", document)


FRAMES = {
    "stream": (get_args(get_args(frames.ClientFrame)[0]), get_args(frames.ServerFrame), set()),
    "terminal": (
        get_args(get_args(terminals.TerminalAsk)[0]),
        get_args(terminals.TerminalFrame),
        {"Bytes"},
    ),
}


@pytest.mark.parametrize("channel", FRAMES)
def test_every_frame_is_there(document: Json, channel: str) -> None:
    *models, other = FRAMES[channel]
    asked, told = ({each.__name__ for each in several} | other for several in models)
    assert set(document["channels"][channel]["messages"]) == asked | told
    assert set(messages_of(document, channel, "receive")) == asked
    assert set(messages_of(document, channel, "send")) == told


def test_every_event_is_there(document: Json) -> None:
    types = {
        each.TYPE
        for each in vars(facts).values()
        if inspect.isclass(each)
        and issubclass(each, facts.EventData)
        and each is not facts.EventData
    }
    assert {each["type"] for each in document["channels"]["stream"]["x-event-types"]} == types
    shown = {
        event["type"]
        for example in document["components"]["messages"]["Events"]["examples"]
        for event in example["payload"]["events"]
    }
    assert shown == types


def test_the_schemas_are_those_of_openapi(document: Json) -> None:
    """Only OpenAPI's way to tell the members of a union apart is left out."""
    rest = openapi.document()["components"]["schemas"]
    for name, schema in document["components"]["schemas"].items():
        assert schema == without_mapping(rest[name]), name


def without_mapping(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: without_mapping(value)
            for key, value in schema.items()
            if not (key == "discriminator" and "mapping" in value)
        }
    return [without_mapping(each) for each in schema] if isinstance(schema, list) else schema


def test_examples_keep_to_their_schemas(document: Json) -> None:
    for name, message in document["components"]["messages"].items():
        if name == "Bytes":
            continue
        validator = payload_validator(document, name)
        assert message["examples"], name
        for example in message["examples"]:
            validator.validate(example["payload"])
            assert example["payload"]["type"] == message["name"]
            broken = {**example["payload"], "type": "dance"}
            assert not validator.is_valid(broken), name


@pytest.mark.parametrize(
    ("name", "codes", "subprotocol"),
    [
        ("stream", CLOSE_CODES, frames.SUBPROTOCOL),
        ("terminal", TERMINAL_CODES, terminals.TERMINAL_SUBPROTOCOL),
    ],
)
def test_numbers_come_from_the_code(
    document: Json, name: str, codes: Mapping[str, int], subprotocol: str
) -> None:
    channel = document["channels"][name]
    assert {each["reason"]: each["code"] for each in channel["x-close-codes"]} == codes
    assert all(each["meaning"] and each["action"] for each in channel["x-close-codes"])
    headers = channel["bindings"]["ws"]["headers"]
    assert headers["properties"]["Sec-WebSocket-Protocol"]["const"] == subprotocol
    assert document["channels"]["stream"]["x-limits"].items() >= LIMITS.model_dump().items()


def test_the_address_of_a_terminal_is_as_the_server_reads_it(document: Json) -> None:
    channel = document["channels"]["terminal"]
    assert set(channel["parameters"]) == {*re.findall(r"{(\w+)}", channel["address"])}
    asked = channel["bindings"]["ws"]["query"]
    Draft7Validator.check_schema(asked)
    validator = Draft7Validator(asked)
    assert validator.is_valid({"pod": "kube-system/etcd", "rows": 24})
    for wrong in ({"pod": "etcd"}, {"rows": 0}, {"offset": -1}, {"size": 3}):
        assert not validator.is_valid(wrong), wrong


def test_the_page_tells_everything(document: Json) -> None:
    text = descriptions.write().stream_page.body.decode()
    places = set(re.findall(r' id="([^"]+)"', text))
    assert {*re.findall(r'href="#([^"]+)"', text)} <= places
    assert set(document["components"]["messages"]) <= places
    channel, terminal = document["channels"]["stream"], document["channels"]["terminal"]
    assert {f"event-{each['type']}" for each in channel["x-event-types"]} <= places
    for each in (*channel["x-close-codes"], *terminal["x-close-codes"]):
        assert f"<code>{each['code']}</code>" in text
    for name in terminal["bindings"]["ws"]["query"]["properties"]:
        assert f"<code>{name}</code>" in text
    for name in channel["x-limits"]:
        assert f"<code>{name}</code>" in text


def test_whoever_reads_about_rest_finds_the_page() -> None:
    assert "](/docs/stream)" in openapi.document()["info"]["description"]
