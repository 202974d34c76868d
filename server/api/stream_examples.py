"""Examples of everything that goes over the stream, made from the models themselves.

The AsyncAPI document and its page show them. Each kind of frame and each type of event has one;
tests hold that, and that each keeps to its schema.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from pyk8s.wire import facts, frames
from pyk8s.wire.base import Ask
from pyk8s.wire.cluster import Cluster, Condition, EvidenceLine, Phase, Step
from pyk8s.wire.events import ClusterEvent
from pyk8s.wire.facts import EventData
from pyk8s.wire.version import VERSION
from server.api.protocol import GOAWAY_RETRY_MS, HEARTBEAT_SECONDS, LIMITS

CLUSTER_ID: Final = UUID("01936a7e-5f2c-7d4a-9b1e-3c8f20a6d417")
EPOCH: Final = UUID("01936a70-0c11-7e02-8a54-b7d90f6e2c35")
CREDENTIAL_ID: Final = UUID("01936a81-7a90-7c3b-8d22-95e1f4b06a7c")
BEGIN: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TOPIC: Final = f"cluster:{CLUSTER_ID}"
ALL: Final = "clusters"


def cluster(**changes: Any) -> Cluster:
    """Make a cluster that is being built."""
    values: dict[str, Any] = {
        "id": CLUSTER_ID,
        "name": "brave-otter",
        "owner": "ada",
        "template": "default",
        "kubernetes_version": "v1.36.4",
        "control_planes": 1,
        "workers": 0,
        "labels": {"branch": "main"},
        "driver": "kind",
        "phase": Phase.PENDING,
        "conditions": [],
        "progress": None,
        "queue": None,
        "failure": None,
        "from_pool": False,
        "ttl_seconds": 3600,
        "created_at": BEGIN,
        "ready_at": None,
        "expires_at": None,
        "deleted_at": None,
        "last_seq": 1,
        "epoch": EPOCH,
    }
    return Cluster.model_validate(values | changes)


def one_of_each() -> Sequence[EventData]:
    """Make one of each type of event, in an order in which they might come."""
    condition = Condition(
        type="Ready",
        status="False",
        reason="Provisioning",
        message="The cluster is being built.",
        last_transition_time=BEGIN,
    )
    return [
        facts.Created(cluster=cluster()),
        facts.Queued(position=1, size=2, reason="memory"),
        facts.ClaimedFromPool(),
        facts.AttemptStarted(attempt=1),
        facts.PhaseChanged(from_=Phase.PENDING, to=Phase.PROVISIONING, reason="WorkerStarted"),
        facts.ConditionChanged(condition=condition),
        facts.StepStarted(step=Step.NODES, index=2, total=8),
        facts.LogLine(stream="stderr", text=" • Preparing nodes 📦  ..."),
        facts.StepFinished(step=Step.NODES, outcome="succeeded", duration_seconds=2.75),
        facts.LogTruncated(cap_bytes=8 * 1024 * 1024),
        facts.LeaseExtended(expires_at=BEGIN + timedelta(hours=1)),
        facts.CredentialIssued(endpoint="proxy", by="ada"),
        facts.ImagesLoaded(names=["docker.io/library/mine:1"], size_bytes=4_300_800, by="ada"),
        facts.CredentialRevoked(credential_id=CREDENTIAL_ID),
        facts.LeaseExpiring(expires_at=BEGIN + timedelta(hours=1)),
        facts.FailureExplained(
            code="disk_full",
            title="No space left on the disk",
            cause="the node image could not be unpacked",
            fix="free some space, then try again",
            evidence=[EvidenceLine(seq=8, text="write /layer.tar: no space left on device")],
            docs="docs/howto/troubleshoot.md#disk_full",
        ),
        facts.LogExpired.model_validate({"from": 12, "to": 16}),
        facts.Note(text="The server was restarted; the build went on meanwhile."),
    ]


_EVENT: TypeAdapter[ClusterEvent] = TypeAdapter(ClusterEvent)


def event(data: EventData, seq: int, *, cluster_id: UUID | None = None) -> ClusterEvent:
    """Put a fact into its envelope."""
    return _EVENT.validate_python(
        {
            "seq": seq,
            "type": data.TYPE,
            "version": data.VERSION,
            "at": BEGIN + timedelta(seconds=seq),
            "cluster_id": cluster_id,
            "data": data.model_dump(by_alias=True),
        }
    )


def client_frames() -> Sequence[tuple[str, BaseModel]]:
    """Make what a client sends, each with what is special about it."""
    return [
        ("from the beginning", frames.Subscribe(type="subscribe", topic=TOPIC, after=0)),
        (
            "resume after seq 12",
            frames.Subscribe(type="subscribe", topic=TOPIC, after=12, epoch=EPOCH),
        ),
        ("all of mine", frames.Subscribe(type="subscribe", topic=ALL)),
        ("leave a topic", frames.Unsubscribe(type="unsubscribe", topic=TOPIC)),
        ("are you there", frames.Ping(type="ping", nonce="7")),
    ]


def server_frames() -> Sequence[tuple[str, BaseModel]]:
    """Make what the server sends, each with what is special about it; events by their type."""
    numbered = [(fact.TYPE, event(fact, seq)) for seq, fact in enumerate(one_of_each(), start=1)]
    moved = event(one_of_each()[4], 5, cluster_id=CLUSTER_ID)
    newest = cluster(phase=Phase.PROVISIONING, last_seq=12)
    return [
        (
            "the first frame",
            frames.Hello(
                protocol=frames.SUBPROTOCOL,
                server_version=VERSION,
                epoch=EPOCH,
                heartbeat_seconds=HEARTBEAT_SECONDS,
                limits=LIMITS,
            ),
        ),
        ("one cluster", frames.ClusterSnapshot(topic=TOPIC, seq=12, cluster=newest)),
        ("all of mine", frames.ClustersSnapshot(topic=ALL, seq=12, clusters=[newest])),
        *((name, frames.Events(topic=TOPIC, events=[each])) for name, each in numbered),
        ("on the topic clusters", frames.Events(topic=ALL, events=[moved])),
        ("up to date with seq 12", frames.Bookmark(topic=TOPIC, seq=12)),
        ("13 to 9000 come late", frames.Lagged(topic=TOPIC, from_=13, to=9000)),
        ("nothing after seq 57", frames.End(topic=TOPIC, seq=57)),
        (
            "the connection goes on",
            frames.StreamError(topic=TOPIC, code="already_subscribed", detail="unsubscribe first"),
        ),
        (
            "close 4504 follows",
            frames.StreamError(topic="weather", code="no_such_topic", detail="no topic 'weather'"),
        ),
        ("yes", frames.Pong(nonce="7")),
        ("before close 1012", frames.Goaway(retry_after_ms=GOAWAY_RETRY_MS)),
    ]


def plain(model: BaseModel) -> dict[str, Any]:
    """Give the JSON as it is on the wire: of events `cluster_id` only where there is one."""
    document = model.model_dump(mode="json", by_alias=True, exclude_unset=isinstance(model, Ask))
    for each in document.get("events", ()):
        if each["cluster_id"] is None:
            del each["cluster_id"]
    return document
