"""The golden files of the stream, which vitest reads too, say what the models of the wire say."""

import json
from pathlib import Path
from typing import Any

import pytest

from pyk8s.wire.resources import Kind, Resources, ResourcesAway, ResourcesBeat, ResourcesChange
from tests.golden.make_resources_stream import SCENARIOS

FILES = sorted((Path(__file__).parents[2] / "golden" / "resources_stream").glob("*.json"))


def test_all_scenarios_are_written() -> None:
    assert {path.stem for path in FILES} == set(SCENARIOS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_reader_knows_in_the_end_what_it_should(path: Path) -> None:
    golden = json.loads(path.read_text())
    text = "".join(golden["pieces"])
    assert text == "".join(SCENARIOS[path.stem][0]), (
        "run python -m tests.golden.make_resources_stream"
    )
    rows: dict[str, Any] = {}
    more: dict[Kind, int] = {}
    away, ended = None, False
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        match fields.get("event"):
            case "snapshot":
                told = Resources.model_validate_json(fields["data"])
                rows = {row.uid: row for row in told.items}
                more, away = told.more, None
            case "change":
                changed = ResourcesChange.model_validate_json(fields["data"])
                rows |= {row.uid: row for row in changed.put}
                rows = {uid: row for uid, row in rows.items() if uid not in changed.remove}
                more = changed.more
            case "unavailable":
                away = ResourcesAway.model_validate_json(fields["data"]).code
            case "beat":
                ResourcesBeat.model_validate_json(fields["data"])
            case "end":
                ended = True
    shown = [row.model_dump(mode="json") for row in rows.values()]
    assert {"rows": shown, "more": more, "away": away, "ended": ended} == golden["expect"]
