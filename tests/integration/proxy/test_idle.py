"""Clusters that nobody uses are paused; use is seen where it happens."""

import asyncio
from uuid import UUID

from sqlalchemy import text

from server.controllers.idle import pause_idle
from server.kube.use import Use
from server.store.database import Database
from tests.integration.conftest import Caller, LabServer
from tests.integration.proxy.conftest import Site, read_head

SECONDS = 60


async def age(database: Database, seconds: int) -> None:
    """Let everything have happened so long ago."""
    async with database.transaction() as session:
        for column in ("clusters SET ready_at = ready_at", "cluster_use SET used_at = used_at"):
            await session.execute(
                text(f"UPDATE {column} - make_interval(secs => :s)"),
                {"s": seconds},
            )


async def paused(database: Database) -> int:
    return await pause_idle(database, seconds=SECONDS)


async def test_one_that_nobody_uses_is_paused_and_the_page_can_tell_when(site: Site) -> None:
    database, path = site.server.state["database"], f"/api/v1/clusters/{site.mine}"
    assert await paused(database) == 0
    told = (await site.ann.http.get(path + "/idle")).json()
    assert told["stays_awake_because"] is None
    assert told["pauses_at"] > told["used_at"]
    await age(database, SECONDS + 1)
    assert await paused(database) == 2
    await site.ann.until(site.mine, "paused")
    told = (await site.ann.http.get(path + "/idle")).json()
    assert told["stays_awake_because"] == "it is paused already"
    events = (await site.ann.http.get(path + "/events", params={"types": "phase_changed"})).json()
    assert events["items"][-1]["data"]["reason"] == "Idle"


async def test_requests_count_as_use_and_watches_do_not(site: Site) -> None:
    database, use = site.server.state["database"], site.server.state["use"]
    await age(database, SECONDS - 10)
    await site.ask(site.at("/api/v1/pods"))
    await use.flush()
    await age(database, 20)
    assert await paused(database) == 1, "only the other one"
    await site.ann.until(site.other, "paused")
    reader, writer = await site.connect()
    asked = f"GET {site.at('/watch?watch=true')} HTTP/1.1\r\nHost: proxy\r\n"
    writer.write(f"{asked}Authorization: Bearer {site.token}\r\n\r\n".encode())
    assert (await read_head(reader))[0] == 200
    await use.flush()
    await age(database, SECONDS - 10)
    assert await paused(database) == 1
    await site.ann.until(site.mine, "paused")


async def test_what_is_open_is_in_use(database: Database) -> None:
    use = Use(database)
    cluster_id = UUID(int=1)
    with use.holding(cluster_id), use.holding(cluster_id):
        pass
    assert not use._open
    assert use._noted == {cluster_id}


async def test_somebody_who_types_wakes_it(site: Site) -> None:
    database, use = site.server.state["database"], site.server.state["use"]
    await age(database, SECONDS + 1)
    await paused(database)
    await site.ann.until(site.mine, "paused")
    use.typing_into(UUID(site.mine))()
    await site.ann.until(site.mine, "ready")
    await age(database, SECONDS - 10)
    assert await paused(database) == 0, "to wake it is to use it"


async def test_what_was_typed_before_a_pause_does_not_wake_it(site: Site) -> None:
    use = site.server.state["use"]
    path = f"/api/v1/clusters/{site.mine}"
    use.typing_into(UUID(site.mine))()  # written down up to a second later
    async with asyncio.timeout(20):
        await site.ann.http.post(path + "/pause")
        await site.ann.until(site.mine, "paused")
        while use._typed:
            await asyncio.sleep(0.05)
    events = (await site.ann.http.get(path + "/events", params={"types": "phase_changed"})).json()
    assert events["items"][-1]["data"]["to"] == "paused"
    assert (await site.ann.http.get(path)).json()["phase"] == "paused"


async def test_an_idle_pause_is_called_off_by_use(ann: Caller, lab_server: LabServer) -> None:
    database = lab_server.state["database"]
    cluster = await ann.create(name="demo")
    await ann.until("demo", "ready")
    await age(database, SECONDS + 1)
    async with database.transaction() as session:  # used between the look and the pause
        await session.execute(
            text("INSERT INTO cluster_use VALUES (:id, now() + make_interval(secs => 30))"),
            {"id": cluster["id"]},
        )
        await session.execute(
            text(
                "INSERT INTO jobs (id, cluster_id, kind, reason) "
                "VALUES (gen_random_uuid(), :id, 'pause', 'Idle')"
            ),
            {"id": cluster["id"]},
        )
        await session.execute(text("SELECT pg_notify('pyk8s_jobs', '')"))
    async with database.reading() as session:
        outcome = None
        while outcome is None:
            outcome = await session.scalar(text("SELECT outcome FROM jobs WHERE kind = 'pause'"))
    assert outcome == "cancelled"
    assert (await ann.http.get("/api/v1/clusters/demo")).json()["phase"] == "ready"
