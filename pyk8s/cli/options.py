"""Options that several commands share."""

import re
from typing import Annotated

import typer

from pyk8s.cli.words import parse_duration
from pyk8s.wire.access import SERVICE_ACCOUNT_PATTERN

WHOLE_LIST = 500
"""The largest page of a list; a server keeps fewer tokens and credentials of a user than this."""


def duration(text: str | int) -> int:
    """Read a duration that somebody typed, or a default, as seconds."""
    if isinstance(text, int):
        return text
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def service_account(text: str) -> str:
    """Read NAMESPACE/NAME, or NAME of the namespace `default`."""
    wanted = text if "/" in text else f"default/{text}"
    if not re.fullmatch(SERVICE_ACCOUNT_PATTERN, wanted):
        raise typer.BadParameter(f"{text!r}: write it like NAMESPACE/NAME.")
    return wanted


Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="May be repeated.")
]


def read_labels(given: list[str] | None) -> dict[str, str]:
    """Read `--label team=red --label x=y`."""
    labels: dict[str, str] = {}
    for text in given or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"--label {text!r}: write it like team=red.")
        labels[key] = value
    return labels
