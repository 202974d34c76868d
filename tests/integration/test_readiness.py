"""What /readyz and /metrics tell, to whom, and what they cost."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text as sql

from server.api.disk_checks import LEAST_FREE_BYTES, room_check
from server.config import Settings
from server.controllers import reaper
from server.errors import DatabaseBusy, DatabaseFull, Unavailable, Unstorable
from server.store import hosts
from server.store.database import Database
from tests.integration.conftest import Caller, LabServer, serving

STRANGER = {"X-Forwarded-For": "203.0.113.7", "Authorization": ""}


async def eventually_unready(http: httpx.AsyncClient, check: str) -> dict[str, object]:
    async with asyncio.timeout(20):
        while True:
            body = (await http.get("/readyz?verbose")).json()
            found = {each["name"]: each for each in body["checks"]}
            if check in found and not found[check]["ok"]:
                assert body["status"] == "unready"
                return dict(found[check])
            await asyncio.sleep(0.1)


async def test_two_hundred_at_once_cost_one(
    lab_server: LabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    current = hosts.current

    async def counting(session: object) -> object:
        nonlocal asked
        asked += 1
        return await current(session)  # type: ignore[arg-type]

    monkeypatch.setattr(hosts, "current", counting)
    async with httpx.AsyncClient(base_url=lab_server.base_url, timeout=60) as http:
        began = time.monotonic()
        answers = await asyncio.gather(
            *(http.get(path) for _ in range(100) for path in ("/metrics", "/readyz?verbose"))
        )
        took = time.monotonic() - began
    assert {answer.status_code for answer in answers} == {200}
    assert asked <= 1 + took, "at most once a second"


async def test_a_stranger_hears_which_checks_are_well_and_nothing_of_this_machine(
    ann: Caller,
) -> None:
    told = await ann.http.get("/readyz?verbose", headers=STRANGER)
    mine = await ann.http.get("/readyz?verbose", headers={"X-Forwarded-For": "203.0.113.7"})
    here = await ann.http.get("/readyz?verbose", headers={"Authorization": ""})
    names = [(check["name"], check["ok"]) for check in told.json()["checks"]]
    for full in (mine, here):
        assert [(check["name"], check["ok"]) for check in full.json()["checks"]] == names
        assert "test-host" in full.text
    assert "test-host" not in told.text
    assert {check["detail"] for check in told.json()["checks"]} == {"for people who are signed in"}


async def test_a_data_directory_that_cannot_be_written_is_told(
    ann: Caller, settings: Settings
) -> None:
    assert (await ann.http.get("/readyz")).status_code == 200
    (settings.data_dir / ".writable").mkdir()  # root may write where others may not
    check = await eventually_unready(ann.http, "data_dir")
    assert str(settings.data_dir) in str(check["detail"])
    (settings.data_dir / ".writable").rmdir()
    async with asyncio.timeout(20):
        while (await ann.http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.1)


async def test_metrics_can_be_for_people_who_are_signed_in(settings: Settings) -> None:
    closed = settings.model_copy(update={"metrics_access": "signed-in"})
    async with (
        serving(closed) as server,
        httpx.AsyncClient(base_url=server.base_url, trust_env=False) as http,
    ):
        assert (await http.get("/metrics")).status_code == 200, "on this machine"
        assert (await http.get("/metrics", headers=STRANGER)).status_code == 401


def test_postgresql_needs_room() -> None:
    assert room_check(LEAST_FREE_BYTES).ok
    low = room_check(LEAST_FREE_BYTES - 1)
    assert not low.ok
    assert low.required
    assert "255 MiB are free" in low.detail


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url, pool_size=2)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        ("53100", DatabaseFull, "disk"),
        ("53300", DatabaseBusy, "more is asked"),
        ("57P03", Unavailable, "does not answer"),
    ],
)
async def test_a_refusal_tells_its_true_cause(
    database: Database, state: str, error: type[Unavailable], words: str
) -> None:
    code = f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(error, match=words) as refused:
        async with database.transaction() as session:
            await session.execute(sql(code))
    assert refused.type is error
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1
    with pytest.raises(error):
        async with database.writing_lines() as raw:
            await raw.execute(code)


async def test_a_value_that_cannot_be_sent_is_no_outage(database: Database) -> None:
    with pytest.raises(Unstorable):
        async with database.reading() as session:
            await session.execute(sql("SELECT CAST(:value AS integer)"), {"value": "many"})
    with pytest.raises(Unstorable):
        async with database.writing_lines() as raw:
            await raw.fetchval("SELECT $1::integer", "many")


async def test_a_defect_in_a_loop_ends_neither_the_server_nor_the_loop(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def breaks(_: Database) -> bool:
        nonlocal looks
        looks += 1
        raise ZeroDivisionError

    monkeypatch.setattr(reaper, "_is_there_any", breaks)
    async with serving(settings) as server, httpx.AsyncClient(base_url=server.base_url) as http:
        async with asyncio.timeout(30):
            while looks < 2:
                await asyncio.sleep(0.05)
        answer = await http.get("/readyz?verbose")
        assert answer.status_code == 200
        (check,) = [each for each in answer.json()["checks"] if each["name"] == "loops"]
        assert check["ok"] is False
        assert "reaper (ZeroDivisionError)" in check["detail"]
