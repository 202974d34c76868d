"""The parser against everything that kind was heard to say, whole and in pieces.

`tests/golden/kind/NAME.json` says what the transcript NAME means: its steps in order, how many
lines it has, and why it failed if it did. Written by hand; nothing here writes it.
"""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyk8s.wire.cluster import Step
from pyk8s.wire.facts import LogLine, StepFinished, StepStarted
from server.drivers.explain import explain
from server.drivers.kind_output import StepTracker, plan
from server.provisioner.batch import Batch, Reading
from server.provisioner.runner import Spool, Stream
from server.provisioner.spool import records_of
from server.store.log_chunks import Lines

GOLDEN = Path(__file__).parents[2] / "golden" / "kind"
TRANSCRIPTS = sorted(path for path in GOLDEN.iterdir() if path.suffix != ".json")
STEPS = plan(control_planes=1, workers=1)


class Kept(Spool):
    """Stands for the spool's file."""

    def __init__(self) -> None:
        self.data = b""

    def add(self, records: bytes, prefix: bytes) -> None:
        del prefix
        self.data += records


def read(chunks: Iterable[bytes], *, one_by_one: bool = False) -> list[Any]:
    """Send output the whole way: runner, spool, cleaner, parser. With a new start at each line."""
    kept = Kept()
    stream = Stream(b"e")
    for chunk in chunks:
        stream.feed(chunk, kept)
    stream.end(kept)
    facts: list[Any] = []
    reading = Reading(STEPS, {}, log_cap_bytes=10**9)
    for record in records_of(kept.data, 0):
        batch = Batch(0)
        reading.add(batch, record)
        for draft in batch.drafts:
            if isinstance(draft, Lines):
                documents = (json.loads("{" + tail) for tail in draft.tails)
                facts += [LogLine.model_validate(each["data"]) for each in documents]
            else:
                facts.append(draft.data)
        assert batch.offset == record.end
        if one_by_one:
            state = json.loads(json.dumps(reading.state()))
            reading = Reading(STEPS, state, log_cap_bytes=10**9)
    return facts


def meaning(facts: Iterable[Any]) -> list[Any]:
    """Leave out what depends on the clock."""
    return [fact.model_dump(exclude={"duration_seconds"}) | {"type": fact.TYPE} for fact in facts]


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.name)
def test_every_transcript_means_what_its_golden_file_says(path: Path) -> None:
    golden = json.loads((GOLDEN / f"{path.name}.json").read_text())
    facts = read([path.read_bytes()])
    lines = [fact.text for fact in facts if isinstance(fact, LogLine)]
    ended = [f"{f.step} {f.outcome}" for f in facts if isinstance(f, StepFinished)]
    started = [fact.step for fact in facts if isinstance(fact, StepStarted)]
    assert ended == golden["steps"]
    assert started == [each.partition(" ")[0] for each in golden["steps"]]
    assert len(lines) == golden["lines"]
    if golden["failure"] is None:
        assert not any(line.startswith("ERROR") for line in lines)
    else:
        found = explain(lines)
        assert found.explanation.code == golden["failure"]
        assert any(lines[number].startswith("ERROR: ") for number in found.evidence)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.name)
def test_a_restart_after_any_line_changes_nothing(path: Path) -> None:
    data = path.read_bytes()
    assert meaning(read([data], one_by_one=True)) == meaning(read([data]))


@given(path=st.sampled_from(TRANSCRIPTS), data=st.data())
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_how_output_is_cut(path: Path, data: st.DataObject) -> None:
    text = path.read_bytes()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=40)))
    edges = [0, *cuts, len(text)]
    chunks = [text[start:end] for start, end in pairwise(edges)]
    assert meaning(read(chunks)) == meaning(read([text]))


@given(st.lists(st.binary(max_size=200) | st.sampled_from([b"\r", b"\n", b"\x1b[", b" \xe2\x9c"])))
@settings(max_examples=200, deadline=None)
def test_garbage_is_read_without_complaint_however_it_is_cut(chunks: list[bytes]) -> None:
    assert meaning(read(chunks)) == meaning(read([b"".join(chunks)]))


def test_a_plan_has_what_the_shape_of_the_cluster_needs() -> None:
    assert Step.WORKERS not in plan(control_planes=1, workers=0)
    assert Step.WORKERS in plan(control_planes=1, workers=2)
    several = plan(control_planes=3, workers=0)
    assert Step.LOAD_BALANCER in several
    assert Step.MORE_CONTROL_PLANES in several
    assert several[-1] is Step.ACCESS


def test_durations_and_numbers_of_steps() -> None:
    tracker = StepTracker(plan(control_planes=1, workers=0))
    (started,) = tracker.read(" • Preparing nodes 📦   ...", 1_000_000_000)
    assert started == StepStarted(step=Step.NODES, index=2, total=8)
    (ended,) = tracker.read(" ✓ Preparing nodes 📦 ", 3_500_000_000)
    assert ended == StepFinished(step=Step.NODES, outcome="succeeded", duration_seconds=2.5)


def test_on_a_terminal_a_step_lasts_from_the_end_of_the_one_before() -> None:
    tracker = StepTracker(plan(control_planes=1, workers=0))
    tracker.read(" \x1b[32m✓\x1b[0m Ensuring node image", 1_000_000_000)
    _, ended = tracker.read(" \x1b[32m✓\x1b[0m Preparing nodes", 5_000_000_000)
    assert ended == StepFinished(step=Step.NODES, outcome="succeeded", duration_seconds=4.0)


def test_a_step_without_an_end_ends_with_the_next_one() -> None:
    tracker = StepTracker(plan(control_planes=1, workers=0))
    tracker.read(" • Preparing nodes  ...", 0)
    told = tracker.read(" • Writing configuration  ...", 1_000_000_000)
    assert [each.TYPE for each in told] == ["step_finished", "step_started"]
