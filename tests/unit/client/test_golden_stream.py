"""The SDK against the golden files of the stream, which vitest reads as well."""

import json
from typing import Any

import pytest

from pyk8s import GapDetected, StreamRefused
from pyk8s.client.config import Endpoint
from pyk8s.client.frames import Reader
from pyk8s.client.stream import follow
from tests.golden.make_stream import FOLDER, LOST, SCENARIOS, written
from tests.unit.client.scripted import Act, Conversation, Pauses, scripted

FILES = sorted(FOLDER.glob("*.json"))


def playing(connection: dict[str, Any], asked: list[int]) -> Act:
    """Do what the file says on one connection."""

    async def act(talk: Conversation) -> None:
        asked.append(talk.subscription["after"])
        for frame in connection["frames"]:
            await talk.say(**frame)
            if frame["type"] == "error" and frame["code"] == "unavailable":
                asked.append(json.loads(await talk.socket.recv())["after"])
        if connection["close"] == LOST:
            talk.socket.transport.abort()
        elif connection["close"] is not None:
            await talk.socket.close(connection["close"])
        else:
            await talk.socket.wait_closed()

    return act


@pytest.mark.parametrize(
    "document", [json.loads(path.read_text()) for path in FILES], ids=[path.stem for path in FILES]
)
async def test_golden(document: dict[str, Any], pauses: Pauses) -> None:
    asked: list[int] = []
    got: list[int] = []
    outcome = "ended"
    reader = Reader(document["topic"], after=0, epoch=None)
    async with scripted([playing(each, asked) for each in document["connections"]]) as script:
        try:
            stream = follow(Endpoint(script.url, "secret"), reader, backoff=pauses.backoff())
            async for item in stream:
                got += [item.seq]
        except GapDetected:
            outcome = "gap"
        except StreamRefused:
            outcome = "refused"
    assert {"asked_after": asked, "events": got, "outcome": outcome} == document["expect"]


def test_the_files_are_what_their_maker_writes() -> None:
    assert {path.stem: path.read_text() for path in FILES} == {
        name: written(scenario) for name, scenario in SCENARIOS.items()
    }
