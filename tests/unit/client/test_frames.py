import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyk8s import GapDetected, Misunderstood, StreamRefused
from pyk8s.client.frames import Reader, read_event
from tests.unit.client.scripted import EPOCH, event

TOPIC = "cluster:1"


def reader(after: int = 0, epoch: str | None = None) -> Reader:
    return Reader(TOPIC, after=after, epoch=epoch)


def frame(**content: Any) -> str:
    return json.dumps({"topic": TOPIC, **content})


@given(st.lists(st.integers(1, 30), max_size=60), st.integers(0, 5))
def test_any_order_gives_each_event_once_and_in_order_or_says_that_one_is_missing(
    seqs: list[int], after: int
) -> None:
    got: list[int] = []
    subject = reader(after)
    for seq in seqs:
        try:
            got += [item.seq for item in subject.feed(frame(type="events", events=[event(seq)]))[1]]
        except GapDetected:
            break
    assert got == list(range(after + 1, after + 1 + len(got)))
    assert subject.last == after + len(got)


@given(st.integers(0, 5), st.integers(0, 10), st.sampled_from(["bookmark", "end"]))
def test_a_bookmark_or_an_end_beyond_the_cursor_is_a_gap(last: int, seq: int, kind: str) -> None:
    subject = reader(last)
    if seq > last:
        with pytest.raises(GapDetected):
            subject.feed(frame(type=kind, seq=seq))
    else:
        assert subject.feed(frame(type=kind, seq=seq)) == (True, [])
        assert subject.is_ended == (kind == "end")


def test_an_event_of_a_newer_type_moves_the_cursor_and_is_handed_on_unread() -> None:
    subject = reader()
    _, [item] = subject.feed(frame(type="events", events=[event(1, "teleported", to="moon")]))
    assert item.event is None
    assert item.document["data"] == {"to": "moon"}
    assert subject.last == 1


def test_newer_fields_are_ignored_and_a_known_type_that_cannot_be_read_is_not() -> None:
    assert read_event({**event(1), "mood": "fine"}) is not None
    with pytest.raises(Misunderstood, match="cannot read"):
        read_event({**event(1), "data": {"stream": "telepathy"}})


def test_frames_of_newer_types_and_other_topics_are_ignored() -> None:
    subject = reader()
    assert subject.feed(frame(type="sparkle")) == (True, [])
    other = json.dumps({"type": "events", "topic": "cluster:2", "events": [event(7)]})
    assert subject.feed(other) == (False, [])


def test_the_subscription_carries_the_cursor_and_the_epoch_of_the_first_hello() -> None:
    subject = reader(3)
    assert json.loads(subject.subscription()) == {"type": "subscribe", "topic": TOPIC, "after": 3}
    subject.feed(json.dumps({"type": "hello", "epoch": EPOCH, "heartbeat_seconds": 7}))
    assert json.loads(subject.subscription())["epoch"] == EPOCH
    subject.feed(json.dumps({"type": "hello", "epoch": "another", "heartbeat_seconds": 7}))
    assert json.loads(subject.subscription())["epoch"] == EPOCH, "the log that the cursor is of"
    assert subject.heartbeat_seconds == 7


def test_a_goaway_says_when_to_come_back() -> None:
    subject = reader()
    subject.feed(json.dumps({"type": "goaway", "retry_after_ms": 1500}))
    assert subject.retry_after_seconds == 1.5


def test_a_refused_subscription_is_an_exception() -> None:
    with pytest.raises(StreamRefused) as caught:
        reader().feed(frame(type="error", code="no_such_topic", detail="No such cluster."))
    assert caught.value.code == "no_such_topic"


@pytest.mark.parametrize("code", ["slow", "too_many"])
def test_the_close_that_asks_to_come_again_is_left_to_speak(code: str) -> None:
    after = reader()
    assert after.feed(frame(type="error", topic=None, code=code, detail="in words")) == (False, [])
    assert not after.is_ended


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "3"])
def test_what_is_no_frame_is_refused(text: str) -> None:
    with pytest.raises(Misunderstood):
        reader().feed(text)


@pytest.mark.parametrize("code", ["slow", "too_many"])
def test_what_a_client_comes_back_after_is_no_refusal(code: str) -> None:
    """The close that follows says that it may reconnect."""
    told = json.dumps({"type": "error", "topic": None, "code": code, "detail": "Too slow."})
    assert reader().feed(told) == (False, [])
