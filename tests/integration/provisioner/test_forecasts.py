"""Forecasts are learned from the creates that were."""

from pyk8s.wire.cluster import Phase
from server.drivers.kind_output import plan
from server.store import forecasts
from tests.integration.provisioner.conftest import Lab
from tests.integration.provisioner.test_failures import all_done


async def test_they_have_every_step_and_leave_out_what_would_mislead(lab: Lab) -> None:
    lab.max_creates = 1
    async with lab.running():
        asked = [await lab.ask(), await lab.ask(), await lab.ask(simulate="fail-late")]
        for cluster_id in asked[:2]:
            await lab.reaches(cluster_id, Phase.READY)
        await lab.reaches(asked[2], Phase.FAILED)
        await all_done(lab)
    await lab.execute("UPDATE clusters SET created_at = created_at - interval '1 hour'")
    async with lab.database.reading() as session:
        found = await forecasts.expected(session)
    assert found.keys() == {("default", "simulated")}
    expected = found["default", "simulated"]
    assert expected.samples == 2
    assert 0 < expected.p10 <= expected.p50 <= expected.p95 < 60, "a queue is not part of it"
    assert [each.step for each in expected.steps] == list(
        plan(control_planes=1, workers=0, is_tuned=True)
    )
    left = [each.left_p50 for each in expected.steps]
    assert left == sorted(left, reverse=True)

    await lab.execute("UPDATE clusters SET from_pool = true WHERE id = :id", id=asked[0])
    await lab.execute("UPDATE clusters SET workers = 3 WHERE id = :id", id=asked[1])
    async with lab.database.reading() as session:
        assert await forecasts.expected(session) == {}
