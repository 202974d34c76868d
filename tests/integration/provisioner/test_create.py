"""A create from its job to its end, over the simulated driver."""

from contextlib import aclosing
from uuid import UUID

import pytest

from pyk8s.wire.cluster import Cluster, Phase
from pyk8s.wire.events import PhaseChangedEvent, StepFinishedEvent, StepStartedEvent
from pyk8s.wire.reduce import apply_event
from server.drivers.kind_output import plan
from server.errors import Simulated
from server.kube.upstream import Upstreams
from server.store import access
from tests.integration.provisioner.conftest import Lab


async def fold(lab: Lab, cluster_id: UUID) -> Cluster | None:
    folded = None
    events = await lab.events(cluster_id)
    for event in events:
        folded = apply_event(folded, event)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return folded


async def test_a_cluster_comes_up(lab: Lab) -> None:
    cluster_id = await lab.ask()
    async with lab.running():
        cluster = await lab.reaches(cluster_id, Phase.READY)
    events = await lab.events(cluster_id)
    steps = [event.data.step for event in events if isinstance(event, StepStartedEvent)]
    ended = [event.data for event in events if isinstance(event, StepFinishedEvent)]
    assert steps == list(plan(control_planes=1, workers=0, is_tuned=True))
    assert [each.step for each in ended] == steps
    assert {each.outcome for each in ended} == {"succeeded"}
    assert [
        (event.data.from_, event.data.to, event.data.reason)
        for event in events
        if isinstance(event, PhaseChangedEvent)
    ] == [
        (Phase.PENDING, Phase.PROVISIONING, "Claimed"),
        (Phase.PROVISIONING, Phase.READY, "Provisioned"),
    ]
    assert await fold(lab, cluster_id) == cluster
    assert cluster.expires_at is not None
    async with lab.database.reading() as session:
        way = await access.way_into(session, cluster_id)
    assert way is not None
    assert b"simulated" in lab.sealer.open(way.sealed_kubeconfig)
    async with aclosing(Upstreams(lab.database, lab.sealer)) as upstreams:
        with pytest.raises(Simulated):
            await upstreams.of(cluster_id)
