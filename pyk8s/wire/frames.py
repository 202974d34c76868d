"""The frames of the WebSocket /api/v1/stream, subprotocol `pyk8s.v1`, JSON text."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from pyk8s.wire.base import Answer, Ask
from pyk8s.wire.cluster import Cluster
from pyk8s.wire.events import ClusterEvent

SUBPROTOCOL = "pyk8s.v1"

Topic = Annotated[str, StringConstraints(max_length=64)]
"""`clusters`, or `cluster:<id>`."""


class Subscribe(Ask):
    """Follow a topic. `after`: the last seq that the client has; without it a snapshot first."""

    type: Literal["subscribe"]
    topic: Topic
    after: Annotated[int, Field(ge=0)] | None = None
    epoch: UUID | None = None


class Unsubscribe(Ask):
    """Leave a topic."""

    type: Literal["unsubscribe"]
    topic: Topic


class Ping(Ask):
    """Ask for a `pong` with the same nonce."""

    type: Literal["ping"]
    nonce: Annotated[str, StringConstraints(max_length=64)]


ClientFrame = Annotated[Subscribe | Unsubscribe | Ping, Field(discriminator="type")]


class StreamLimits(Answer):
    """What the server allows on one connection; `max_streams`: how many open ones of a user."""

    max_frame_bytes: int
    max_streams: int
    max_subscriptions: int
    max_frames_per_minute: int


class Hello(Answer):
    """The first frame."""

    type: Literal["hello"] = "hello"
    protocol: str
    server_version: str
    epoch: UUID
    heartbeat_seconds: float
    limits: StreamLimits


class ClusterSnapshot(Answer):
    """The state of one cluster up to and including `seq`."""

    type: Literal["snapshot"] = "snapshot"
    topic: str
    seq: int
    cluster: Cluster


class ClustersSnapshot(Answer):
    """The state of all of the caller's clusters; each has its own `last_seq`."""

    type: Literal["snapshot"] = "snapshot"
    topic: Literal["clusters"]
    seq: int
    clusters: list[Cluster]


class Events(Answer):
    """Events in order. On the topic `clusters` each has its `cluster_id`."""

    type: Literal["events"] = "events"
    topic: str
    events: list[ClusterEvent]


class Bookmark(Answer):
    """Nothing new; the client is up to date with `seq`."""

    type: Literal["bookmark"] = "bookmark"
    topic: str
    seq: int


class Lagged(Answer):
    """The client was too slow for the live path; `from` to `to` follow from the database."""

    type: Literal["lagged"] = "lagged"
    topic: str
    from_: Annotated[int, Field(alias="from", serialization_alias="from")]
    to: int

    model_config = ConfigDict(populate_by_name=True)


class End(Answer):
    """The cluster is deleted; nothing comes after `seq`."""

    type: Literal["end"] = "end"
    topic: str
    seq: int


class StreamError(Answer):
    """Something was refused. A close with a code follows, unless it is one of two.

    `already_subscribed` changes nothing. `unavailable`: the topic could not be read for now and is
    left; subscribe again a little later.
    """

    type: Literal["error"] = "error"
    topic: str | None = None
    code: str
    detail: str


class Pong(Answer):
    """The answer to a `ping`."""

    type: Literal["pong"] = "pong"
    nonce: str


class Goaway(Answer):
    """The server is about to stop; reconnect after so many milliseconds, with the cursor."""

    type: Literal["goaway"] = "goaway"
    retry_after_ms: int


ServerFrame = (
    Hello
    | ClusterSnapshot
    | ClustersSnapshot
    | Events
    | Bookmark
    | Lagged
    | End
    | StreamError
    | Pong
    | Goaway
)


class EventPage(Answer):
    """A page of a cluster's events. `end`: nothing will ever come after `next_after`."""

    items: list[ClusterEvent]
    next_after: int
    epoch: UUID
    end: bool
