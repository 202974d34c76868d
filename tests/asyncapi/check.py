"""Reads an AsyncAPI document as its users do: what a message may be."""

from typing import Any

from jsonschema import Draft7Validator, FormatChecker


def is_json_pointer_of(reference: str, document: Any) -> bool:
    """Tell whether a reference within the document leads somewhere (RFC 6901, no escapes)."""
    place = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(place, dict) or part not in place:
            return False
        place = place[part]
    return True


def payload_validator(document: dict[str, Any], *messages: str) -> Draft7Validator:
    """Make a validator of the payload of one of the messages."""
    payloads = [document["components"]["messages"][name]["payload"] for name in messages]
    whole = {"anyOf": payloads, "components": document["components"]}
    return Draft7Validator(whole, format_checker=FormatChecker())


def messages_of(document: dict[str, Any], channel: str, action: str) -> list[str]:
    """Name the messages that the server sends, or receives, over a channel."""
    return sorted(
        {
            message["$ref"].rpartition("/")[2]
            for operation in document["operations"].values()
            if operation["action"] == action
            and operation["channel"]["$ref"] == f"#/channels/{channel}"
            for message in operation["messages"]
        }
    )
