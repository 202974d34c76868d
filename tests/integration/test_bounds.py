"""What a user can make many of has an end: tokens, credentials, sessions; and old rows go."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import event, text

from pyk8s import Lab
from server.commands import accounts as account_commands
from server.commands import credentials as credential_commands
from server.config import Settings
from server.controllers import retention
from server.store import accounts
from server.store.database import Database
from tests.integration.conftest import Caller, LabServer, serving
from tests.integration.test_api import problem
from tests.ports import free_port

ACCOUNT = {"username": "ann", "password": "correct horse battery"}
TOKEN = {"name": "one of many", "scopes": ["access"]}


@pytest.fixture
async def lab_server(settings: Settings) -> AsyncIterator[LabServer]:
    async with serving(settings.model_copy(update={"proxy_port": free_port()})) as server:
        yield server


async def test_tokens_have_an_end_and_pages(ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_commands, "MAX_TOKENS", 6)  # one is ann's own
    answers = await asyncio.gather(*(ann.http.post("/api/v1/tokens", json=TOKEN) for _ in range(9)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [429] * 4
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert "revoke" in (problem(refused, 429, "quota_exceeded").fix or "")
    seen: list[str] = []
    url = "/api/v1/tokens?limit=2"
    while url:
        answer = await ann.http.get(url)
        seen += [token["id"] for token in answer.json()["items"]]
        url = answer.links.get("next", {}).get("url", "")
        assert bool(url) == bool(answer.json()["next_cursor"])
    assert len(seen) == len(set(seen)) == 6
    async with Lab(ann.base_url, ann.token, environ={}) as lab:
        assert [str(token.id) for token in await lab.tokens.list()] == seen
    problem(await ann.http.get("/api/v1/tokens?cursor=x"), 422, "validation")
    problem(await ann.http.get("/api/v1/tokens?limit=501"), 422, "validation")
    assert (await ann.http.delete(f"/api/v1/tokens/{seen[0]}")).status_code == 204
    assert (await ann.http.post("/api/v1/tokens", json=TOKEN)).status_code == 201


async def test_the_lock_of_what_is_counted_writes_no_row(
    ann: Caller, lab_server: LabServer
) -> None:
    async def version() -> str:
        async with lab_server.state["database"].reading() as session:
            query = text("SELECT ctid::text FROM users WHERE username = 'ann'")
            return str((await session.execute(query)).scalar_one())

    before = await version()
    assert (await ann.http.post("/api/v1/tokens", json=TOKEN)).status_code == 201
    await ann.create(name="demo")
    assert await version() == before


async def test_credentials_have_an_end_and_pages(
    ann: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential_commands, "MAX_OF_CLUSTER", 5)
    cluster = await ann.create(name="demo")
    await ann.until(cluster["id"], "ready")
    url = f"/api/v1/clusters/{cluster['id']}"
    answers = await asyncio.gather(
        *(ann.http.post(f"{url}/credentials", json={}) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [429] * 3
    problem(await ann.http.get(f"{url}/kubeconfig"), 429, "quota_exceeded")
    async with Lab(ann.base_url, ann.token, environ={}) as lab:
        listed = await (await lab.clusters.get("demo")).credentials()
    assert len({each.id for each in listed}) == 5
    first = await ann.http.get(f"{url}/credentials?limit=3")
    second = await ann.http.get(first.links["next"]["url"])
    both = [*first.json()["items"], *second.json()["items"]]
    assert [each["id"] for each in both] == [str(each.id) for each in listed]
    assert "next" not in second.links
    assert (await ann.http.delete(f"{url}/credentials/{listed[0].id}")).status_code == 204
    assert (await ann.http.get(f"{url}/kubeconfig")).status_code == 200


async def test_the_session_used_least_lately_ends(
    ann: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "MAX_SESSIONS", 3)
    cookies: list[str] = []
    async with httpx.AsyncClient(base_url=ann.base_url, trust_env=False, timeout=30) as browser:
        for _ in range(5):
            browser.cookies.clear()
            assert (await browser.post("/api/v1/auth/login", json=ACCOUNT)).status_code == 200
            cookies.append(browser.cookies["pyk8s_session"])
        browser.cookies.clear()
        statuses = [
            (
                await browser.get("/api/v1/auth/me", headers={"Cookie": f"pyk8s_session={cookie}"})
            ).status_code
            for cookie in cookies
        ]
    assert statuses == [401, 401, 200, 200, 200]


async def test_signing_out_of_much_takes_few_statements(ann: Caller, lab_server: LabServer) -> None:
    """Many tokens, sessions and credentials, as an older server let one have."""
    database = lab_server.state["database"]
    cluster = await ann.create(name="demo")
    await ann.until(cluster["id"], "ready")
    async with database.transaction() as session:
        for table, columns, values in (
            ("tokens", "name, scopes", "'many', ARRAY['access']"),
            ("sessions", "user_agent, expires_at", "'many', now() + interval '1 day'"),
            (
                "credentials",
                "name, endpoint, expires_at, cluster_id",
                f"'many', 'proxy', now() + interval '1 day', '{cluster['id']}'::uuid",
            ),
        ):
            await session.execute(
                text(
                    f"INSERT INTO {table} (id, user_id, secret_hash, {columns}) "
                    "SELECT gen_random_uuid(), users.id, sha256(n::text::bytea), "
                    f"{values} FROM users, generate_series(1, 2000) AS n "
                    "WHERE username = 'ann'"
                )
            )
    counted = 0

    def count(*_: object) -> None:
        nonlocal counted
        counted += 1

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        answer = await ann.http.post("/api/v1/auth/logout?everywhere=true")
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert answer.status_code == 204
    assert counted < 100, "one for each of 6,000 rows"
    async with database.reading() as reading:
        revoked = "SELECT count(*) FROM events WHERE type = 'credential_revoked'"
        assert await reading.scalar(text(revoked)) == 2000


async def test_what_ended_long_ago_is_removed(database: Database) -> None:
    day = timedelta(days=1)
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO users (id, username, password_hash) "
                "VALUES ('018f0000-0000-7000-8000-000000000001', 'ann', '-')"
            )
        )
        for number, (expires, revoked) in enumerate(
            [(-3, None), (3, -3), (None, -3), (3, None), (None, None), (-1, None), (3, -1)]
        ):
            await session.execute(
                text(
                    "INSERT INTO tokens (id, user_id, name, secret_hash, scopes, expires_at, "
                    "revoked_at) SELECT gen_random_uuid(), id, :name, sha256(CAST(:raw AS bytea)), "
                    "ARRAY['access'], now() + CAST(:expires AS interval), "
                    "now() + CAST(:revoked AS interval) FROM users WHERE username = 'ann'"
                ),
                {
                    "name": str(number),
                    "raw": str(number).encode(),
                    "expires": None if expires is None else expires * day,
                    "revoked": None if revoked is None else revoked * day,
                },
            )
        for age in (1, 3):
            await session.execute(
                text(
                    "INSERT INTO idempotency_keys (user_id, key, request_hash, created_at) "
                    "SELECT id, :key, '', now() - CAST(:age AS interval) FROM users "
                    "WHERE username = 'ann'"
                ),
                {"key": str(age), "age": age * day},
            )
    assert await retention.remove_ended(database, older_than=2 * day) == 4
    assert await retention.remove_ended(database, older_than=2 * day) == 0
    async with database.reading() as reading:
        left = await reading.scalars(text("SELECT name FROM tokens ORDER BY name"))
        assert list(left) == ["3", "4", "5", "6"]
        assert list(await reading.scalars(text("SELECT key FROM idempotency_keys"))) == ["1"]
