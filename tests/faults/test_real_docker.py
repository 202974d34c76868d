"""Real clusters in a Docker of the test's own: its disk is full, it is stopped, it is frozen."""

import asyncio
import time
from collections.abc import Iterator
from typing import Literal

import pytest

from tests.faults.callers import calling
from tests.faults.outage import (
    PROMISED_SECONDS,
    all_are,
    check_answers,
    enough_calls,
    said_of_ready,
)
from tests.faults.private_docker import PrivateDocker, private_docker
from tests.faults.real import RealSite, real_site
from tests.faults.site import eventually

pytestmark = [pytest.mark.docker, pytest.mark.timeout(420)]


@pytest.fixture(scope="module")
def docker() -> Iterator[PrivateDocker]:
    with private_docker() as made:
        yield made


async def jobs_are_done(site: RealSite) -> bool:
    return not await site.database.fetchval("SELECT count(*) FROM jobs WHERE state <> 'done'")


async def test_a_full_disk_is_refused_before_anything_is_made(
    database_url: str, docker: PrivateDocker
) -> None:
    async with real_site(database_url, PYK8S_DOCKER_URL=docker.url) as site:
        await site.server.start()
        await site.sign_up()
        docker.fill()
        try:
            await site.create("too-late")
            cluster = await site.phase("too-late", "failed")
            assert cluster["failure"]["code"] == "disk_low"
            assert str(docker.disk) in cluster["failure"]["cause"]
            await eventually(lambda: jobs_are_done(site))
        finally:
            docker.make_room()
        assert await site.lines("too-late") == []  # kind was not even started
        assert docker.pieces() == []
        await site.check_nothing_left()


async def test_a_disk_that_fills_up_in_the_middle_is_explained(
    database_url: str, docker: PrivateDocker
) -> None:
    async with real_site(database_url, PYK8S_DOCKER_URL=docker.url) as site:
        await site.server.start()
        await site.sign_up()
        await site.create("unlucky")
        await site.has_line("unlucky", " • Preparing nodes")
        docker.fill()
        try:
            cluster = await site.phase("unlucky", "failed")
            assert cluster["failure"]["code"] == "no_space", cluster["failure"]
            said = " ".join(line["text"] for line in cluster["failure"]["evidence"])
            assert "no space left on device" in said
            # It is removed although the disk is full still.
            await eventually(lambda: jobs_are_done(site))
            assert docker.pieces() == []
            await site.check_nothing_left()
        finally:
            docker.make_room()


@pytest.mark.long
@pytest.mark.parametrize(("how", "seconds"), [("stopped", 30.0), ("frozen", 60.0)])
async def test_people_are_answered_and_told_the_truth(
    database_url: str, docker: PrivateDocker, how: Literal["stopped", "frozen"], seconds: float
) -> None:
    async with real_site(database_url, PYK8S_DOCKER_URL=docker.url) as site:
        await site.server.start()
        await site.sign_up()
        cluster_id = await site.create("up")
        await site.phase("up", "ready")

        async def is_unknown() -> bool:
            return await all_are(site, ["up"], "Unknown")

        async def is_ready() -> bool:
            return await all_are(site, ["up"], "True")

        async with calling(site, cluster_id) as callers:
            await enough_calls(callers, since=time.monotonic())
            away = time.monotonic()
            await asyncio.to_thread(docker.freeze if how == "frozen" else docker.stop)
            try:
                await eventually(is_unknown)
                await enough_calls(callers, since=away, lasts=seconds)
                back = time.monotonic()
                assert await is_unknown()
            finally:
                await asyncio.to_thread(docker.thaw if how == "frozen" else docker.start)
            await eventually(is_ready, 120)
        check_answers(callers, away, back, limit=PROMISED_SECONDS)
        said = await said_of_ready(site, "up")
        assert said[:2] == [("True", "Provisioned"), ("Unknown", "DockerUnreachable")]
        assert said[-1] == ("True", "NodesRunning")
        assert [status for status, _ in said].count("True") == 2  # not before it was so
        await site.delete(cluster_id)
        await site.phase("up", "deleted")
        assert docker.pieces() == []
        await site.check_nothing_left()
