"""What a reader has of a cluster's log: everything once, in order, and word for word."""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CACHED_FRAMES = 64
"""Readers that are equally far get the same bytes; so many frames are not read twice."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some events in a row, as they came in one piece. Empty: the reader has everything."""

    seqs: Sequence[int]
    content: bytes
    """What the events say, for the digest."""
    at: Sequence[float]
    """When each happened, in seconds since 1970."""
    has_ended: bool = False
    in_a_row: bool = False
    """Whether each number is the one before and one; seen once for all readers."""

    def __len__(self) -> int:
        return len(self.seqs)


NOTHING = Part((), b"", ())


def content_of(kind: str, text: str) -> bytes:
    """Write what counts of an event: its type and its text."""
    return f"{kind} {text}\n".encode()


def part_of(documents: Iterable[Mapping[str, Any]]) -> Part:
    """Read events as they are on the wire."""
    seqs, content, at = [], [], []
    for each in documents:
        seqs.append(int(each["seq"]))
        content.append(content_of(each["type"], each["data"].get("text", "")))
        at.append(datetime.fromisoformat(each["at"]).timestamp())
    in_a_row = bool(seqs) and seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    return Part(seqs, b"".join(content), at, in_a_row=in_a_row)


@functools.lru_cache(CACHED_FRAMES)
def part_of_frame(frame: bytes) -> Part:
    """Read a frame of the WebSocket that is about a topic."""
    document = json.loads(frame)
    if document["type"] == "events":
        return part_of(document["events"])
    assert document["type"] in {"bookmark", "lagged", "end"}, document
    return Part((), b"", (), has_ended=document["type"] == "end")


class Ledger:
    """The cursor of one reader, and a digest of all that it was told.

    A number that is not the next one is a gap, a repeat or another order: none may be.
    """

    def __init__(self, *, after: int = 0) -> None:
        self.last = after
        self.events = 0
        self.faults: list[str] = []
        self._digest = hashlib.sha256()

    def take(self, part: Part) -> None:
        """Note what came; go on behind it whatever was wrong with it."""
        well = part.in_a_row and part.seqs[0] == self.last + 1
        for seq in part.seqs[-1:] if well else part.seqs:
            if not well and seq != self.last + 1:
                what = "gap" if seq > self.last + 1 else "double"
                self.faults.append(f"{what}: {seq} after {self.last}")
            self.last = seq
        self.events += len(part)
        self._digest.update(part.content)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def digest_of(contents: Iterable[bytes]) -> str:
    """Give the digest of a reader that was told exactly this."""
    digest = hashlib.sha256()
    for each in contents:
        digest.update(each)
    return digest.hexdigest()
