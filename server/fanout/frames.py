"""Frames of the stream as they go over the network, header and all: one for however many."""

from pyk8s.wire.frames import ServerFrame
from server.transport.connection import text_frame


def ready(frame: ServerFrame) -> bytes:
    """Write a frame."""
    return text_frame(frame.model_dump_json(by_alias=True, exclude_none=False))


def events_frame(topic: str, events: str) -> bytes:
    """Write a frame of events, which are JSON with commas between them already."""
    return text_frame(f'{{"type":"events","topic":"{topic}","events":[{events}]}}')
