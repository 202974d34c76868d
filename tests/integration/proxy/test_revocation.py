"""A credential that ends takes with it what is open under it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update

from server.store import credentials
from server.store.access_tables import CredentialRow
from tests.faults.site import eventually
from tests.integration.conftest import sign_up
from tests.integration.proxy.conftest import Site, read_head
from tests.integration.proxy.test_relay import tunnel

ENDED_SECONDS = 10.0
"""The promise is one second; a busy machine may be late, a connection that stays open is not."""


async def revoke(site: Site) -> None:
    path = f"/api/v1/clusters/{site.mine}/credentials/{site.credential['id']}"
    assert (await site.ann.http.delete(path)).status_code == 204
    assert (await site.ann.http.delete(path)).status_code == 404


async def delete_cluster(site: Site) -> None:
    answer = await site.ann.http.delete(f"/api/v1/clusters/{site.mine}")
    assert answer.status_code == 202


async def logout_everywhere(site: Site) -> None:
    answer = await site.ann.http.post("/api/v1/auth/logout?everywhere=true")
    assert answer.status_code == 204
    assert (await site.ann.http.get("/api/v1/auth/me")).status_code == 401


@pytest.mark.parametrize("end", [revoke, delete_cluster, logout_everywhere])
async def test_it_ends_watches_and_tunnels_and_the_next_call_is_401(
    site: Site, end: Callable[[Site], Awaitable[None]]
) -> None:
    watch, execution = await opened(site)
    began = time.monotonic()
    await end(site)
    for reader in (watch, execution):
        await until_closed(reader)
    assert time.monotonic() - began < ENDED_SECONDS
    status, _, _ = await site.ask(site.at("/api"))
    assert status == 401
    await eventually(lambda: _none_open(site))


async def _none_open(site: Site) -> bool:
    return site.api.watches == 0


async def opened(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamReader]:
    watch, writer = await site.connect()
    writer.write(
        f"GET {site.at('/watch')} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {site.token}\r\n\r\n".encode()
    )
    await read_head(watch)
    await watch.readuntil(b"line 1\n")
    execution, other = await tunnel(site, "/tunnel")
    await read_head(execution)
    other.write(b"typed")
    assert await execution.readexactly(5) == b"typed"
    return watch, execution


async def until_closed(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(ENDED_SECONDS):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass


async def test_time_ends_it_as_well(site: Site) -> None:
    async with site.server.state["database"].transaction() as session:
        await session.execute(
            update(CredentialRow)
            .where(CredentialRow.id == UUID(site.credential["id"]))
            .values(expires_at=func.now() + timedelta(seconds=3))
        )
    watch, execution = await opened(site)
    for reader in (watch, execution):
        await until_closed(reader)
    assert (await site.ask(site.at("/api")))[0] == 401


async def test_a_lost_hint_is_made_up_for(site: Site) -> None:
    """Marked in the database without a hint, then the listener comes back."""
    watch, _ = await opened(site)
    async with site.server.state["database"].transaction() as session:
        await session.execute(
            update(CredentialRow)
            .where(CredentialRow.id == UUID(site.credential["id"]))
            .values(revoked_at=func.now())
        )
    site.server.state["grants"].on_may_have_missed()
    await until_closed(watch)
    assert (await site.ask(site.at("/api")))[0] == 401


async def test_a_hint_that_comes_while_the_database_is_asked_counts(site: Site) -> None:
    """What was read before the end was committed is not believed after the hint."""
    assert (await site.ask(site.at("/api")))[0] == 200
    site.server.state["grants"].on_revoked(UUID(site.credential["id"]))
    assert (await site.ask(site.at("/api")))[0] == 401


async def test_requests_at_once_share_one_look_at_the_database(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that opens a hundred watches begins with an answer that is not known yet."""
    looks = 0
    by_secret = credentials.by_secret

    async def counted(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return await by_secret(*arguments)

    monkeypatch.setattr(credentials, "by_secret", counted)
    grants = site.server.state["grants"]
    found = await asyncio.gather(*(grants.find(site.token, "127.0.0.1") for _ in range(50)))
    assert {str(each.credential_id) for each in found} == {site.credential["id"]}
    assert looks == 1


async def test_a_hint_during_a_look_makes_the_next_request_look_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on, looks = asyncio.Event(), asyncio.Event(), 0
    by_secret = credentials.by_secret

    async def held_up(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        found = await by_secret(*arguments)
        began.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(credentials, "by_secret", held_up)
    grants = site.server.state["grants"]
    first = asyncio.create_task(grants.find(site.token, "127.0.0.1"))
    await began.wait()
    grants.on_moved(UUID(site.mine))
    second = asyncio.create_task(grants.find(site.token, "127.0.0.1"))
    gone = asyncio.create_task(grants.find(site.token, "127.0.0.1"))

    async def two_looks() -> bool:
        return looks == 2

    await eventually(two_looks)
    gone.cancel()
    go_on.set()
    assert (await first).credential_id == (await second).credential_id
    assert (looks, gone.cancelled()) == (2, True)


async def test_credentials_are_listed_with_their_last_use_and_are_ones_own(site: Site) -> None:
    path = f"/api/v1/clusters/{site.mine}/credentials"
    await site.ask(site.at("/api"))

    async def is_used() -> bool:
        return (await listed())[0]["last_used_at"] is not None

    async def listed() -> list[dict[str, Any]]:
        return list((await site.ann.http.get(path)).json()["items"])

    await eventually(is_used)
    second = await site.issue()
    assert [each["id"] for each in await listed()] == [second["id"], site.credential["id"]]
    assert not [each for each in await listed() if "token" in each]
    bob = await sign_up(site.server, "bob")
    async with bob.http:
        for method, tail in (
            ("GET", ""),
            ("POST", ""),
            ("DELETE", f"/{second['id']}"),
        ):
            body = {"json": {"name": "x"}} if method == "POST" else {}
            answer = await bob.http.request(method, path + tail, **body)  # type: ignore[arg-type]
            assert answer.status_code == 404
    assert (await site.ask(site.at("/api"), token=second["token"]))[0] == 200


async def test_a_stop_of_the_server_ends_what_is_open(site: Site) -> None:
    watch, execution = await opened(site)
    site.server.state["grants"].stop()
    for reader in (watch, execution):
        await until_closed(reader)
