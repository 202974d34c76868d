"""The frames of the stream, read without any I/O: cursor, gaps, repeats, the end."""

import json
from typing import Any, NamedTuple, get_args

from pydantic import TypeAdapter, ValidationError

from pyk8s.client.errors import GapDetected, Misunderstood, StreamRefused
from pyk8s.wire.events import ClusterEvent

NOT_NOW = "unavailable"
"""The code of an error that will pass: the server cannot read the topic at this moment."""
ALREADY = "already_subscribed"

_EVENT: TypeAdapter[ClusterEvent] = TypeAdapter(ClusterEvent)
_KNOWN = frozenset(
    member.model_fields["type"].default for member in get_args(get_args(ClusterEvent)[0])
)

_COME_AGAIN = frozenset({"slow", "too_many"})
"""After these errors the server closes with a code that asks for a reconnect (4408, 4429)."""


class Followed(NamedTuple):
    """One event as the server sent it. `event` is None for a type that this version ignores."""

    seq: int
    event: ClusterEvent | None
    document: dict[str, Any]


def read_event(document: dict[str, Any]) -> ClusterEvent | None:
    """Read an event; None when its type is newer than this program.

    Raises:
        Misunderstood: the type is known and the rest is not.
    """
    if document.get("type") not in _KNOWN:
        return None
    try:
        return _EVENT.validate_python(document)
    except ValidationError as error:
        raise Misunderstood(
            f"The server sent an event that this pyk8s cannot read: {error.errors()[0]['msg']}.",
            fix="Update with: pip install --upgrade pyk8s-lab",
        ) from error


class Reader:
    """What a client knows of one topic: the cursor `last`, whether it `is_ended`, the `epoch`.

    `is_interrupted`: the server cannot serve the topic now and keeps the connection; ask again
    with `subscription` after a pause.

    Feed it every frame in order. It outlives connections: that is what makes
    the sequence of events contiguous across reconnects.
    """

    def __init__(self, topic: str, *, after: int, epoch: str | None) -> None:
        self.topic = topic
        self.last = after
        self.epoch = epoch
        self.is_ended = False
        self.is_interrupted = False
        self.heartbeat_seconds: float | None = None
        self.retry_after_seconds = 0.0

    def subscription(self) -> str:
        """Write the frame that asks for everything after the cursor."""
        self.is_interrupted = False
        frame: dict[str, Any] = {"type": "subscribe", "topic": self.topic, "after": self.last}
        if self.epoch is not None:
            frame["epoch"] = self.epoch
        return json.dumps(frame)

    def feed(self, text: str | bytes) -> tuple[bool, list[Followed]]:
        """Take a frame in; tell whether it was about the topic, and give the new events.

        Raises:
            GapDetected: events are missing.
            StreamRefused: the server refused the subscription.
            Misunderstood: the frame is not one.
        """
        frame = _parse(text)
        kind = frame.get("type")
        if kind == "hello":
            self.heartbeat_seconds = float(frame.get("heartbeat_seconds") or 0) or None
            self.epoch = self.epoch or frame.get("epoch")
            return False, []
        if kind == "goaway":
            self.retry_after_seconds = float(frame.get("retry_after_ms") or 0) / 1000
            return False, []
        if kind == "error" and frame.get("code") in _COME_AGAIN:
            return False, []
        if kind == "error" and frame.get("topic") in {None, self.topic}:
            self._refused(frame)
            return False, []
        if frame.get("topic") != self.topic:
            return False, []
        if kind == "events":
            return True, self._take(frame.get("events") or [])
        if kind in {"bookmark", "end"}:
            self._is_complete_up_to(int(frame["seq"]))
            self.is_ended = kind == "end"
        return True, []

    def _refused(self, frame: dict[str, Any]) -> None:
        code = str(frame.get("code"))
        if code == NOT_NOW:
            self.is_interrupted = True
        elif code != ALREADY:  # whoever asks again after an interruption may be told so
            raise StreamRefused(code, str(frame.get("detail") or "The server refused the stream."))

    def _take(self, documents: list[dict[str, Any]]) -> list[Followed]:
        """Take what is new. The cursor moves when all of the frame is well, or not at all."""
        last, taken = self.last, []
        for document in documents:
            seq = int(document["seq"])
            if seq <= last:
                continue
            if seq > last + 1 and not _closes_a_gap(document, last):
                raise GapDetected(last=last, received=seq)
            taken.append(Followed(seq, read_event(document), document))
            last = seq
        self.last = last
        return taken

    def _is_complete_up_to(self, seq: int) -> None:
        if seq > self.last:
            raise GapDetected(last=self.last, received=seq)


def _closes_a_gap(document: dict[str, Any], last: int) -> bool:
    """Tell whether an event stands for everything between the cursor and itself."""
    if document.get("type") != "log_expired":
        return False
    return int(document["data"]["from"]) <= last + 1


def _parse(text: str | bytes) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except ValueError:
        frame = None
    if not isinstance(frame, dict):
        raise Misunderstood(
            "The stream carries something that is not a frame.",
            fix="Check that the address is that of a PyK8s-Lab server.",
        )
    return frame
