"""The reducer against the golden files, which vitest reads as well."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyk8s.client.frames import read_event
from pyk8s.wire.cluster import Cluster
from pyk8s.wire.reduce import apply_event
from tests.golden.make_reducer import FOLDER, SCENARIOS

FILES = sorted(FOLDER.glob("*.json"))


def fold(before: Cluster | None, events: list[dict[str, object]]) -> Cluster | None:
    cluster = before
    for raw in events:
        event = read_event(raw)
        if event is not None:
            cluster = apply_event(cluster, event)
        elif cluster is not None:  # newer than this program: only the cursor moves
            cluster = cluster.model_copy(update={"last_seq": raw["seq"]})
    return cluster


def snapshot(raw: dict[str, object] | None) -> Cluster | None:
    return None if raw is None else Cluster.model_validate(raw)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    document = json.loads(path.read_text())
    assert fold(snapshot(document["before"]), document["events"]) == snapshot(document["after"])


def test_every_scenario_has_its_file() -> None:
    assert {path.stem for path in FILES} >= set(SCENARIOS)


def test_what_the_golden_files_claim_was_looked_at() -> None:
    """A few facts by hand, so that the generator cannot bless its own mistakes."""
    after = {path.stem: json.loads(path.read_text())["after"] for path in FILES}
    ready = after["from-nothing-to-ready"]
    assert (ready["phase"], ready["progress"]) == ("ready", None)
    assert ready["ready_at"] == "2026-01-01T00:00:11.000000Z"
    assert ready["expires_at"] == "2026-01-01T01:00:00.000000Z"
    middle = after["in-the-middle-of-a-step"]["progress"]
    assert (middle["step"], middle["index"], middle["percent"]) == ("nodes", 2, 12)
    assert after["fails-and-is-explained"]["failure"]["code"] == "image_missing"
    assert after["fails-and-is-explained"]["progress"]["percent"] == 0
    assert after["second-attempt-forgets-the-failure"]["failure"] is None
    assert after["leaves-the-queue"]["queue"] is None
    assert [c["status"] for c in after["condition-changes-in-place"]["conditions"]] == ["Unknown"]
    assert after["deleted-while-building"]["deleted_at"] == "2026-01-01T00:00:05.000000Z"
    assert after["old-events-change-nothing"]["last_seq"] == 50
    assert after["pauses-and-wakes"]["ready_at"] == "2026-01-01T00:00:00.000000Z"


@given(st.sampled_from(FILES), st.data())
def test_repeats_change_nothing(path: Path, data: st.DataObject) -> None:
    """After a reconnect events may come again: the fold is the same."""
    document = json.loads(path.read_text())
    events = document["events"]
    cut = data.draw(st.integers(0, len(events)))
    again = data.draw(st.integers(0, cut))
    replayed = [*events[:cut], *events[again:]]
    assert fold(snapshot(document["before"]), replayed) == snapshot(document["after"])
