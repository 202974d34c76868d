"""The server is killed with -9 while real kind builds, and started again."""

import pytest

from server.drivers.base import kind_name
from server.drivers.kind_output import plan
from tests.drivers.conftest import why_no_kind
from tests.faults.real import RealSite, real_site
from tests.faults.site import eventually

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

AT: dict[str, str] = {"goes-on": " • Starting control-plane", "dies-too": " • Preparing nodes"}
"""Two creates, and the line after which the server is killed. The kind of one is killed as well."""


async def test_killed_in_the_middle_of_two_creates(database_url: str) -> None:
    reason = why_no_kind()
    if reason is not None:
        pytest.skip(reason)
    async with real_site(database_url) as site:
        await site.server.start()
        await site.sign_up()
        for purpose in AT:
            await site.create(purpose)
        for purpose, line in AT.items():
            await site.has_line(purpose, line)
        await site.server.kill()
        [kept], [lost] = [await site.attempts(purpose) for purpose in AT]
        site.end_runners(str(lost["id"]))
        await eventually(lambda: has_died(site, str(lost["id"])))
        said_before = site.spooled(lost["id"])
        await site.server.start()
        for purpose in AT:
            await site.phase(purpose, "ready")

        [same] = await site.attempts("goes-on")
        assert same["id"] == kept["id"]
        assert await site.lines("goes-on") == site.spooled(kept["id"])
        assert await finished_steps(site, "goes-on") == list(
            plan(control_planes=1, workers=0, is_tuned=True)
        )

        first, second = await site.attempts("dies-too")
        assert first["outcome"] == "lost"
        assert first["removed_at"] is not None
        assert await site.lines("dies-too") == said_before + site.spooled(second["id"])
        assert kind_name(first["id"]) not in str(await site.pieces())
        for purpose in AT:
            await seqs_are_whole(site, purpose)

        for cluster_id in site.clusters.values():
            await site.delete(cluster_id)
        for purpose in AT:
            await site.phase(purpose, "deleted")
        await site.check_nothing_left()


async def has_died(site: RealSite, what: str) -> bool:
    return not any(what in command for command in site.processes().values())


async def finished_steps(site: RealSite, purpose: str) -> list[str]:
    rows = await site.database.fetch(
        "SELECT data->>'step' AS step FROM events "
        "WHERE cluster_id = $1::text::uuid AND type = 'step_finished' ORDER BY seq",
        site.clusters[purpose],
    )
    return [row["step"] for row in rows]


async def seqs_are_whole(site: RealSite, purpose: str) -> None:
    rows = await site.database.fetch(
        "SELECT seq FROM event_log WHERE cluster_id = $1::text::uuid ORDER BY seq",
        site.clusters[purpose],
    )
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
